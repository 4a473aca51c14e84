"""Our pool as a Stable-Baselines3 vector environment, against environments stepped by hand."""

from __future__ import annotations

from functools import partial
from itertools import count

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from toy import TOY

from benchmark.engine.plan import planned_episode
from envs.make import Workers, make_env
from envs.pool import make_pool
from envs.schema import ManigymError, flatten

pytest.importorskip("stable_baselines3")

import stable_baselines3 as sb3
from stable_baselines3.common.vec_env import DummyVecEnv

from benchmark.sb3.vec_env import PoolVecEnv, Reward, Translation, flat
from benchmark.training.pool import training_pool

ORDER = ("state", "proprio")  # not that of the arrays
SEES = {"observations": ORDER}
PLAN = partial(planned_episode, TOY, "finetuning", root_seed=3)
HERE = Workers(isolation="in_process")
HORIZON = 60


def vector(interface):
    return flat(interface, ORDER)


@pytest.fixture
def vec_env():
    """Makes vector environments and closes their pools at the end."""
    pools = []

    def make(count, translation=vector, workers=HERE, reward=None, chunk=1, n_obs=1, **options):
        pool = training_pool(TOY, {**SEES, **options}, workers, count, chunk=chunk, n_obs=n_obs)
        pools.append(pool)
        return PoolVecEnv(pool, translation(pool.interface), PLAN, reward or Reward())

    yield make
    for pool in pools:
        pool.close()


class ByHand:
    """The same episodes, one environment for each slot, in a plain loop."""

    def __init__(self, count, n_obs=1, **options):
        self.envs = [make_env(TOY, {**SEES, **options}) for _ in range(count)]
        self.n_obs, self.begun = n_obs, 0
        self.frames = [[] for _ in range(count)]
        for slot in range(count):
            self.begin(slot)

    def begin(self, slot):
        observation, _ = self.envs[slot].reset(seed=PLAN(self.begun).seed)
        self.frames[slot] = [self.vector(observation)] * self.n_obs
        self.begun += 1

    def vector(self, observation):
        frame = flatten(observation)
        return np.concatenate([frame["state"], frame["proprio"]])

    def observations(self):
        return np.stack([frames[-1] for frames in self.frames])

    def expert(self, slot):
        return self.envs[slot].expert().act()

    def step(self, slot, action):
        observation, reward, terminated, truncated, _ = self.envs[slot].step(action)
        self.frames[slot].append(self.vector(observation))
        return reward, terminated, truncated


def test_everything_equals_environments_stepped_by_hand(vec_env):
    """Slot 0 is led to the target and terminates, the others wander until they run out of time."""
    rng, slots = np.random.default_rng(0), 3
    vec, hand = vec_env(slots), ByHand(slots)
    assert (vec.reset() == hand.observations()).all()
    ends = {"terminated": 0, "truncated": 0}
    for _ in range(2 * HORIZON + 5):
        actions = rng.uniform(-1, 1, (slots, 2)).astype(np.float32)
        actions[0] = hand.expert(0)
        observations, rewards, dones, infos = vec.step(actions)
        outcomes = [hand.step(slot, action) for slot, action in enumerate(actions)]
        last = hand.observations()
        for slot, (reward, terminated, truncated) in enumerate(outcomes):
            assert rewards[slot] == np.float32(reward)
            assert dones[slot] == (terminated or truncated)
            if not dones[slot]:
                assert infos[slot] == {}
                continue
            assert (infos[slot]["terminal_observation"] == last[slot]).all()
            assert infos[slot]["TimeLimit.truncated"] is truncated
            assert infos[slot]["is_success"] is terminated
            ends["terminated"] += terminated
            ends["truncated"] += truncated
            hand.begin(slot)
        assert observations.dtype == np.float32
        assert (observations == hand.observations()).all()
    assert ends["terminated"] >= 3
    assert ends["truncated"] >= 4


def test_episodes_are_those_of_the_plan_in_the_order_of_the_slots(vec_env):
    vec, starts = vec_env(2), []
    starts += [*vec.reset()]
    for _ in range(HORIZON):  # both run out of time in the same step
        observations, _, dones, infos = vec.step(np.zeros((2, 2), np.float32))
    assert dones.all()
    assert [info["episode"]["l"] for info in infos] == [HORIZON, HORIZON]
    starts += [*observations]
    env = make_env(TOY, SEES)
    for index, start in enumerate(starts):
        frame = flatten(env.reset(seed=PLAN(index).seed)[0])
        assert (start == np.concatenate([frame["state"], frame["proprio"]])).all()


def test_workers_give_the_same_arrays(vec_env):
    def lived(workers):
        rng, vec = np.random.default_rng(1), vec_env(2, workers=workers)
        arrays = [vec.reset()]
        for _ in range(HORIZON + 10):
            observations, rewards, dones, infos = vec.step(rng.uniform(-1, 1, (2, 2)))
            ends = [info.get("terminal_observation", np.zeros(6)) for info in infos]
            arrays.append(np.concatenate([observations, rewards[:, None], dones[:, None], ends], 1))
        return b"".join(array.tobytes() for array in arrays)

    assert lived(Workers(2, "process")) == lived(HERE)


class Planned(gym.Env):
    """What SB3's own vector environment takes: one environment that knows the next episodes."""

    def __init__(self, begun):
        self.env, self.begun = make_env(TOY, SEES), begun
        self.observation_space = spaces.Box(-np.inf, np.inf, (6,), np.float32)
        self.action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)

    def reset(self, *, seed=None, options=None):
        return self.vector(self.env.reset(seed=PLAN(next(self.begun)).seed)[0]), {}

    def step(self, action):
        observation, *rest = self.env.step(action)
        return self.vector(observation), *rest

    def vector(self, observation):
        return np.concatenate([observation["state"], observation["proprio"]])


@pytest.mark.parametrize(
    ("algorithm", "settings"),
    [
        ("PPO", {"n_steps": 128, "batch_size": 64, "n_epochs": 2}),
        ("SAC", {"learning_starts": 200, "batch_size": 32, "buffer_size": 1000}),
    ],
)
def test_training_equals_that_on_the_vector_environment_of_sb3(vec_env, algorithm, settings):
    """The same weights, bit for bit, after six episodes and more."""

    def weights(env):
        model = getattr(sb3, algorithm)("MlpPolicy", env, seed=0, device="cpu", **settings)
        model.learn(256)
        return model.policy.state_dict()

    begun = count()
    theirs = weights(DummyVecEnv([partial(Planned, begun)] * 2))
    ours = weights(vec_env(2))
    assert next(begun) >= 6
    assert theirs.keys() == ours.keys()
    assert all((theirs[name] == ours[name]).all() for name in ours)


def windows(interface):
    """Two frames of each modality and chunks of 8, as a model over a chain of numbers has it."""
    shapes = {key: (2, *shape) for key, (shape, _) in interface.observation.items()}
    boxes = {k: spaces.Box(-np.inf, np.inf, shape, np.float32) for k, shape in shapes.items()}
    return Translation(
        spaces.Dict(boxes),
        spaces.Box(-20, 20, (3 * 16,), np.float32),
        observe=lambda window: window,
        decode=lambda actions: actions[:, -16:].reshape(-1, 8, 2),
        n_obs=2,
    )


def test_a_chunk_ends_with_its_episode(vec_env):
    """60 steps in chunks of 8: the eighth executes 4 actions and is the last."""
    rng, hand = np.random.default_rng(2), ByHand(1, n_obs=2)
    vec = vec_env(1, windows, chunk=8, n_obs=2)
    first = vec.reset()
    assert first["proprio"].shape == (1, 2, 4)
    assert (first["proprio"][0, 0] == first["proprio"][0, 1]).all()
    total = 0.0
    for chunk in range(8):
        chain = rng.uniform(-1, 1, (1, 48)).astype(np.float32)
        observations, rewards, dones, infos = vec.step(chain)
        steps = chain[0, -16:].reshape(8, 2)[: 4 if chunk == 7 else 8]
        outcomes = [hand.step(0, action) for action in steps]
        assert rewards[0] == pytest.approx(sum(reward for reward, _, _ in outcomes), rel=1e-6)
        total += rewards[0]
        assert dones.tolist() == [chunk == 7]
        seen = (
            infos[0]["terminal_observation"]
            if dones[0]
            else {k: v[0] for k, v in observations.items()}
        )
        newest = np.concatenate([seen["state"][-1], seen["proprio"][-1]])
        assert (newest == hand.frames[0][-1]).all()
        if not dones[0]:
            before = np.concatenate([seen["state"][0], seen["proprio"][0]])
            assert (before == hand.frames[0][-2]).all()
    assert infos[0]["episode"] == {"r": pytest.approx(total), "l": HORIZON}
    assert infos[0]["TimeLimit.truncated"] is True


@pytest.mark.parametrize(("protocol", "ends_by"), [("default", "success"), ("hold", "time")])
def test_rewards_of_success_add_up_to_one(vec_env, protocol, ends_by):
    """Also where success can be lost again: the arm goes to the target, and away, and back."""
    vec, hand = (
        vec_env(1, reward=Reward("success"), protocol=protocol),
        ByHand(1, protocol=protocol),
    )
    vec.reset()
    rewards = []
    for step in range(HORIZON):
        away = ends_by == "time" and 30 <= step < 40
        action = np.array([1.0, 1.0], np.float32) if away else hand.expert(0)
        hand.step(0, action)
        _, reward, dones, infos = vec.step(action[None])
        rewards.append(float(reward[0]))
        if dones[0]:
            break
    assert infos[0]["is_success"] is True
    assert infos[0]["episode"]["r"] == sum(rewards) == 1.0
    changes = [reward for reward in rewards if reward]
    assert changes == ([1.0] if ends_by == "success" else [1.0, -1.0, 1.0])
    assert infos[0]["TimeLimit.truncated"] is (ends_by == "time")


def test_no_reward_of_success_without_it(vec_env):
    vec = vec_env(1, reward=Reward("success"))
    vec.reset()
    steps = [vec.step(np.zeros((1, 2), np.float32)) for _ in range(HORIZON)]
    assert sum(float(rewards[0]) for _, rewards, _, _ in steps) == 0.0
    assert steps[-1][3][0]["is_success"] is False


def test_rewards_are_scaled_and_the_books_keep_them_as_they_are(vec_env):
    scaled, plain = vec_env(1, reward=Reward("env", scale=3.0)), vec_env(1)
    for vec in (scaled, plain):
        vec.reset()
    for action in np.random.default_rng(0).uniform(-1, 1, (HORIZON, 1, 2)).astype(np.float32):
        (_, three, ends, infos), (_, one, _, known) = scaled.step(action), plain.step(action)
        assert three[0] == pytest.approx(3.0 * one[0], rel=1e-5)
        if ends[0]:
            break
    assert ends[0]
    assert infos[0]["episode"]["r"] == known[0]["episode"]["r"]


def test_shaping_adds_how_much_the_reward_has_risen(vec_env):
    shaped, plain = vec_env(1, reward=Reward("success", shaping=2.0)), vec_env(1)
    for vec in (shaped, plain):
        vec.reset()
    before = None
    for action in np.random.default_rng(0).uniform(-1, 1, (8, 1, 2)).astype(np.float32):
        (_, paid, _, _), (_, dense, _, _) = shaped.step(action), plain.step(action)
        risen = 0.0 if before is None else dense[0] - before
        assert paid[0] == pytest.approx(2.0 * risen, rel=1e-4, abs=1e-6)
        before = dense[0]


def test_a_failing_simulator_ends_training_with_the_reason(vec_env):
    vec = vec_env(2)
    vec.reset()
    with pytest.raises(ManigymError, match=r"episode 0 of training \(seed \d+\): .*non-finite"):
        vec.step(np.full((2, 2), np.nan))


def test_bad_requests_are_refused(vec_env):
    with pytest.raises(ManigymError, match="reward must be one of env, success; got 'dense'"):
        Reward("dense")
    vec = vec_env(1)
    with pytest.raises(AttributeError, match="no attribute 'model' to read"):
        vec.get_attr("model")
    with pytest.raises(AttributeError, match="no method 'seed' to call"):
        vec.env_method("seed")


def test_one_worker_means_this_process():
    with training_pool(TOY, SEES, Workers(), 3) as pool:
        assert (pool.size, pool.place) == (3, "in_process")
    with training_pool(TOY, SEES, Workers(2), 3) as pool:
        assert (pool.size, pool.place) == (3, "process:host")
    with make_pool(TOY, SEES, HERE) as pool:
        assert vector(pool.interface).observation_space.shape == (6,)
