"""CPU time of a control step of MJThor in state mode against bare ``mj_step``, the same physics.

Run with ``--benchmark-enable``; the ratio is asserted either way.
"""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
from paired import cpu_ratio

from envs.make import make_env
from envs.mjthor.env import MJThorEnv

STEPS, PAIRS, ALLOWED = 100, 21, 1 / 0.9
SUBSTEPS = 25


def test_a_step_costs_at_most_a_tenth_of_itself_more(benchmark: Any) -> None:
    options = {"horizon": 10**6, "terminate_on_success": False}
    env = make_env("MJThor/pick-v0", options)
    assert isinstance(env, MJThorEnv)
    rng, ratios = np.random.default_rng(0), []
    for pair in range(PAIRS):
        env.reset(seed=pair)
        snapshot = env.snapshot()
        actions = rng.uniform(-1, 1, (STEPS, env.card.action.size)).astype(np.float32)
        controls = []
        for action in actions:
            env.advance(action)
            controls.append(env.data.ctrl.copy())
        env.restore(snapshot)
        bare = mujoco.MjData(env.model)
        mujoco.mj_copyData(bare, env.model, env.data)

        def step(control: np.ndarray, model: Any = env.model, data: Any = bare) -> None:
            data.ctrl[:] = control
            mujoco.mj_step(model, data, SUBSTEPS)

        each = list(zip(actions, controls, strict=True))
        ratio = cpu_ratio(
            lambda both: env.advance(both[0]), lambda both: step(both[1]), each, bool(pair % 2)
        )
        ratios.append(ratio)
        np.testing.assert_array_equal(env.data.qpos, bare.qpos)
    benchmark.extra_info["ratio_to_mj_step"] = float(np.median(ratios))
    benchmark.pedantic(env.advance, args=(np.zeros(13, np.float32),), rounds=150)
    assert np.median(ratios) < ALLOWED
