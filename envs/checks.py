"""Conformance kit: what every environment promises, as checks that name the broken promise.

Usable by anyone who adds a simulator::

    from envs.checks import CHECKS
    for check in CHECKS:
        check("MySim/my_task-v0")

The list is after dm_control's ``suite_test.py`` and Gymnasium's ``env_checker``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import gymnasium as gym
import numpy as np

from envs.make import make_env
from envs.registry import card
from envs.schema import MODALITIES, FlatObservation, ManigymError, flatten
from envs.task_env import TaskEnv

STEPS = 6


class ContractError(AssertionError):
    """An environment broke a promise of the schema."""


def check_card(env_id: str) -> None:
    """The card's parts agree with each other."""
    task = card(env_id)
    _require(task.id == env_id, f"card of {env_id} calls itself {task.id}")
    _require(bool(task.instructions), f"{env_id} has no instruction")
    _require(set(task.modalities) <= set(MODALITIES), f"{env_id}: unknown modalities")
    _require({"proprio", "state"} <= set(task.modalities), f"{env_id}: needs proprio and state")
    _require(("expert" in task.modalities) == bool(task.expert), f"{env_id}: expert said two ways")
    for protocol in task.protocols:
        rule = protocol.success
        _require(bool(rule.criterion and rule.source), f"{env_id}/{protocol.name}: say the rule")
        _require(1 <= rule.count <= (rule.window or protocol.horizon), f"{env_id}: {rule}")


def check_action_spec(env_id: str) -> None:
    """Native and physical conversions are inverse to each other and exact at the bounds."""
    spec = card(env_id).action
    actions = np.random.default_rng(0).uniform(-1, 1, (64, spec.size)).astype(np.float32)
    actions[:2] = [[-1.0], [1.0]]
    _same("from_native(to_native(a))", spec.from_native(spec.to_native(actions)), actions)
    _require(np.array_equal(spec.to_physical(actions[0]), spec.low), f"{env_id}: low not exact")
    _require(np.array_equal(spec.to_physical(actions[1]), spec.high), f"{env_id}: high not exact")
    back = spec.from_physical(spec.to_physical(actions))
    _require(bool(np.allclose(back, actions, atol=1e-6)), f"{env_id}: from_physical is no inverse")


def check_spaces(env_id: str) -> None:
    """Observations lie in the space, change over time, and do not share memory between steps."""
    with _made(env_id) as env:
        frames = _roll(env, seed=1)
        space = env.observation_space
        _require(env.observation_space.contains(env.observe()), f"observation not in {space}")
        for key, (shape, dtype) in env.interface.observation.items():
            values = [np.asarray(f[key]) for f in frames]
            _require(values[0].shape == shape, f"{key}: shape {values[0].shape}, space {shape}")
            _require(values[0].dtype.name == dtype, f"{key}: dtype {values[0].dtype}, {dtype}")
            shared = np.shares_memory(values[0], values[1])
            _require(not shared, f"{key}: two steps share memory")
        moved = any(not np.array_equal(frames[0]["proprio"], f["proprio"]) for f in frames[1:])
        _require(moved, f"{env_id}: proprio does not change under random actions")


def check_seeding(env_id: str) -> None:
    """A seed determines the episode, alone; other seeds start elsewhere."""
    with _made(env_id) as env:
        first = _roll(env, seed=3)
        _roll(env, seed=4)
        _frames_equal("same seed, after another episode", _roll(env, seed=3), first)
        starts = [np.concatenate(_vectors(_roll(env, seed=s, steps=0)[0])) for s in range(5, 9)]
        _require(len({s.tobytes() for s in starts}) > 1, f"{env_id}: every seed starts the same")
    with _made(env_id) as fresh:
        _frames_equal("same seed, fresh environment", _roll(fresh, seed=3), first)


def check_bad_actions(env_id: str) -> None:
    """Wrong shapes and non-finite numbers are refused; numbers beyond [-1, 1] are clipped."""
    with _made(env_id) as env:
        size = card(env_id).action.size
        env.reset(seed=0)
        for wrong in (np.zeros(size + 1), np.full(size, np.nan), np.full(size, np.inf)):
            try:
                env.step(wrong)
            except ManigymError:
                continue
            raise ContractError(f"{env_id} accepted the action {wrong}")
        hashes = []
        for action in (np.full(size, 9.0), np.ones(size)):
            env.reset(seed=0)
            env.step(action)
            hashes.append(env.state_hash())
        _require(hashes[0] == hashes[1], f"{env_id}: action 9 is not clipped to 1")


def check_horizon(env_id: str) -> None:
    """Episodes are cut at the horizon, and not before a reset can one go on."""
    with _made(env_id, horizon=3) as env:
        env.reset(seed=0)
        ends = [env.step(np.zeros(card(env_id).action.size))[2:4] for _ in range(3)]
        _require(ends[:2] == [(False, False)] * 2, f"{env_id}: ended before its horizon: {ends}")
        _require(ends[2] == (False, True), f"{env_id}: not truncated at its horizon: {ends}")
        try:
            env.step(np.zeros(card(env_id).action.size))
        except gym.error.ResetNeeded:
            return
        raise ContractError(f"{env_id} steps on after the end of the episode")


def check_snapshot(env_id: str) -> None:
    """Restoring a snapshot continues with the same bits."""
    with _made(env_id) as env:
        _roll(env, seed=2)
        snapshot = env.snapshot()
        actions = _actions(env, seed=7)
        first = _play(env, actions)
        env.restore(snapshot)
        _frames_equal("after restore", _play(env, actions), first)


CHECKS: tuple[Callable[[str], None], ...] = (
    check_card,
    check_action_spec,
    check_spaces,
    check_seeding,
    check_bad_actions,
    check_horizon,
    check_snapshot,
)


def check_pictures(env_id: str, other_id: str) -> None:
    """Pictures are right with several environments in one process.

    A picture is the same before and after ``other_id`` was made, drawn and freed.
    """
    with _made(env_id, observations=("rgb", "depth", "segmentation")) as env:
        before, _ = env.reset(seed=0)
        with _made(other_id, observations=("rgb",)) as other:
            other.reset(seed=0)
            _frames_equal("another environment alive", [flatten(env.observe())], [flatten(before)])
        after = flatten(env.observe())
        _frames_equal("another environment freed", [after], [flatten(before)])
        for key, value in after.items():
            _require(value.min() < value.max(), f"{env_id}: {key} is one flat colour")


@contextmanager
def _made(env_id: str, **options: Any) -> Iterator[TaskEnv]:
    env = make_env(env_id, options)
    try:
        yield env
    finally:
        env.close()


def _actions(env: TaskEnv, seed: int, steps: int = STEPS) -> np.ndarray:
    size = (steps, env.card.action.size)
    return np.random.default_rng(seed).uniform(-1, 1, size).astype(np.float32)


def _step(env: TaskEnv, action: np.ndarray) -> FlatObservation:
    observation, reward, terminated, truncated, _ = env.step(action)
    ends = {"reward": np.float64(reward), "over": terminated or truncated}
    return {**flatten(observation), **ends, "hash": env.state_hash()}


def _play(env: TaskEnv, actions: np.ndarray) -> list[FlatObservation]:
    """Frames after each action, until the episode is over: an action may end it."""
    frames: list[FlatObservation] = []
    for action in actions:
        frames.append(_step(env, action))
        if frames[-1]["over"]:
            break
    return frames


def _roll(env: TaskEnv, seed: int, steps: int = STEPS) -> list[FlatObservation]:
    observation, _ = env.reset(seed=seed)
    return [flatten(observation), *_play(env, _actions(env, seed, steps))]


def _vectors(frame: FlatObservation) -> list[np.ndarray]:
    return [frame["proprio"], frame["state"]]


def _frames_equal(what: str, got: list[FlatObservation], expected: list[FlatObservation]) -> None:
    for step, (mine, theirs) in enumerate(zip(got, expected, strict=True)):
        for key in theirs:
            _same(f"{what}, step {step}, {key}", mine[key], theirs[key])


def _same(what: str, got: Any, expected: Any) -> None:
    if not np.array_equal(np.asarray(got), np.asarray(expected)):
        raise ContractError(f"{what}: got {got}, expected {expected}")


def _require(holds: bool, promise: str) -> None:
    if not holds:
        raise ContractError(promise)
