"""Which episodes may share a call: policies that leak, and policies whose batches change bits."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pytest
from toy import TOY

from benchmark.engine.inference import ALONE, Inference, probe, refuse
from benchmark.engine.plan import plan_episodes
from benchmark.engine.rollout import RolloutOptions, rollout
from envs.make import Workers
from envs.pool import make_pool
from envs.schema import ManigymError, SimulationError
from envs.toy.env import ToyEnv
from policies.base import Policy, PolicySpec
from policies.uniform import UniformPolicy

PLAN = plan_episodes(TOY, "test", 9, 0)
K, A = 2, 2


@pytest.fixture(scope="module")
def pool():
    with make_pool(TOY, {"observations": ("proprio",)}, Workers(1)) as made:
        yield made


class Honest(Policy):
    """Actions that follow from the observation, the episode's generator and its calls so far."""

    spec = PolicySpec(observations=("proprio",), n_action=K)

    def start(self, interface, seeds):
        return [SimpleNamespace(rng=np.random.default_rng(s), calls=0) for s in seeds]

    def act(self, observations, states):
        rows = zip(observations["proprio"][:, -1], states, strict=True)
        return np.stack([self.chunk(proprio, state) for proprio, state in rows])

    def chunk(self, proprio, state):
        state.calls += 1
        noise = state.rng.normal(0, 0.1, (K, A))
        return (0.1 * proprio[:A] + 0.01 * state.calls + noise).astype(np.float32)


class SharedGenerator(Honest):
    rng = np.random.default_rng(0)

    def chunk(self, proprio, state):
        return super().chunk(proprio, SimpleNamespace(rng=self.rng, calls=0))


class GlobalGenerator(Honest):
    def chunk(self, proprio, state):
        return super().chunk(proprio, SimpleNamespace(rng=np.random, calls=0))


class ReseededGenerator(Honest):
    """Looks repeatable alone: the object's generator is seeded whenever an episode starts."""

    def start(self, interface, seeds):
        self.rng = np.random.default_rng(seeds[0])
        return super().start(interface, seeds)

    def chunk(self, proprio, state):
        return super().chunk(proprio, SimpleNamespace(rng=self.rng, calls=0))


class CallCounter(Honest):
    calls = 0

    def chunk(self, proprio, state):
        self.calls += 1
        return np.full((K, A), 1e-6 * self.calls, np.float32)


class Memory(Honest):
    """Keeps the last observation in the object, cleared at a start."""

    def start(self, interface, seeds):
        self.last = 0.0
        return super().start(interface, seeds)

    def chunk(self, proprio, state):
        before, self.last = self.last, proprio[0]
        return super().chunk(proprio, state) + np.float32(before)


class Queue(Honest):
    """A queue of actions in the object, as in many training codes."""

    def start(self, interface, seeds):
        self.queue = []
        return super().start(interface, seeds)

    def chunk(self, proprio, state):
        self.queue = self.queue or [super(Queue, self).chunk(proprio, state) for _ in range(4)]
        return self.queue.pop(0)


class PositionOfSeed(Honest):
    """Its randomness depends on which other episodes start at the same time."""

    def start(self, interface, seeds):
        return [SimpleNamespace(rng=np.random.default_rng(i), calls=0) for i, _ in enumerate(seeds)]


LEAKS = [
    *(SharedGenerator, GlobalGenerator, ReseededGenerator, CallCounter, Memory, Queue),
    PositionOfSeed,
]


@pytest.mark.parametrize("leak", LEAKS)
@pytest.mark.parametrize("largest", [1, 4])
def test_a_policy_that_keeps_something_between_episodes_is_found(pool, leak, largest):
    found = probe(leak(), pool, PLAN, largest)
    assert found == Inference(repeatable=False)
    assert found.describe() == "unrepeatable"


@pytest.mark.parametrize(
    ("largest", "sizes"), [(1, (1,)), (3, (1, 2)), (8, (1, 2, 4, 8)), (32, (1, 2, 4, 8))]
)
def test_an_honest_policy_is_batched_up_to_what_there_is(pool, largest, sizes):
    assert probe(Honest(), pool, PLAN, largest) == Inference(sizes)


class Batched(Honest):
    """Adds one unit in the last place where ``changes(rows)`` says so."""

    def __init__(self, changes):
        self.changes = changes

    def act(self, observations, states):
        chunks = super().act(observations, states)
        for row in self.changes(len(states)):
            chunks[row, -1, -1] = np.nextafter(chunks[row, -1, -1], np.float32(2))
        return chunks


@pytest.mark.parametrize(
    ("changes", "sizes"),
    [
        (lambda rows: range(rows) if rows > 1 else (), (1,)),
        (lambda rows: range(rows) if rows >= 4 else (), (1, 2)),
        (lambda rows: range(rows) if rows == 4 else (), (1, 2, 8)),
        (lambda rows: range(rows) if 1 <= rows <= 3 else (), (1, 2)),  # torch's small products
        (lambda rows: [rows - 1] if rows == 8 else (), (1, 2, 4)),  # a vector's tail
        (lambda rows: [0] if rows == 2 else (), (1, 4, 8)),
    ],
)
def test_a_size_that_changes_one_bit_of_one_row_is_not_used(pool, changes, sizes):
    assert probe(Batched(changes), pool, PLAN, 8) == Inference(sizes)


class Mixing(Honest):
    """Rows see each other, as with batch normalisation left in training mode."""

    def act(self, observations, states):
        chunks = super().act(observations, states)
        return chunks - chunks.mean(0, keepdims=True)


class FirstState(Honest):
    """All rows draw from the first episode's generator."""

    def act(self, observations, states):
        return super().act(observations, [states[0]] * len(states))


@pytest.mark.parametrize("policy", [Mixing, FirstState])
def test_rows_that_see_each_other_are_never_batched(pool, policy):
    assert probe(policy(), pool, PLAN, 8) == ALONE


class Zero(Honest):
    """0.0 alone and -0.0 in a batch: equal numbers, other bits."""

    def act(self, observations, states):
        sign = -1.0 if len(states) > 1 else 1.0
        return np.full((len(states), K, A), sign * 0.0, np.float32)


def test_bits_are_compared_and_not_numbers(pool):
    assert probe(Zero(), pool, PLAN, 4) == ALONE


class Nan(Honest):
    def act(self, observations, states):
        return np.full((len(states), K, A), np.nan, np.float32)


def test_nan_is_repeatable_and_refused_by_the_run_in_its_own_words(pool):
    found = probe(Nan(), pool, PLAN, 4)
    assert found == Inference((1, 2, 4))
    with pytest.raises(ManigymError, match="4 non-finite numbers"):
        rollout(pool, Nan(), PLAN[:1], lambda _: None, RolloutOptions(inference=found))


def test_trying_leaves_nothing_behind_in_the_run(pool):
    def hashes():
        found = []
        rollout(pool, Honest(), PLAN[:3], lambda o: found.append(o.summary.action_hash))
        return found

    before = hashes()
    probe(Honest(), pool, PLAN, 4)
    assert hashes() == before


class Buffer(Honest):
    """Answers in one array of its own, as networks with static outputs do."""

    kept = np.zeros((8, K, A), np.float32)
    calls = 0
    leaks = False

    def act(self, observations, states):
        self.calls += 1
        answer = self.kept[: len(states)]
        answer[:] = super().act(observations, states)
        if self.leaks:
            answer += 1e-3 * self.calls
        return answer


def test_an_answer_in_the_policys_own_buffer_is_seen_as_it_was_given(pool):
    assert probe(Buffer(), pool, PLAN, 4) == Inference((1, 2, 4))
    leaky = Buffer()
    leaky.leaks = True
    assert not probe(leaky, pool, PLAN, 4).repeatable


def broken(monkeypatch, seeds):
    honest = ToyEnv._reset

    def reset(self, seed):
        if seed in seeds:
            raise SimulationError("the arm fell off")
        honest(self, seed)

    monkeypatch.setattr(ToyEnv, "_reset", reset)


def test_an_episode_whose_simulator_fails_is_left_out(pool, monkeypatch):
    broken(monkeypatch, {PLAN[0].seed, PLAN[5].seed})
    assert probe(Honest(), pool, PLAN, 8) == Inference((1, 2, 4))
    assert not probe(SharedGenerator(), pool, PLAN, 1).repeatable  # by the two after the first
    broken(monkeypatch, {episode.seed for episode in PLAN})
    assert probe(SharedGenerator(), pool, PLAN, 8) == ALONE


@pytest.mark.parametrize(
    "answer",
    [np.zeros((2, 2), np.float32), np.zeros((0, 1, 2), np.float32), np.zeros((3, 1, 2)), [0.0]],
)
def test_an_answer_for_other_episodes_than_were_asked_for_is_named(pool, monkeypatch, answer):
    monkeypatch.setattr(Honest, "act", lambda self, observations, states: answer)
    shape = re.escape(str(np.shape(answer)))
    with pytest.raises(ManigymError, match=f"answered with shape {shape} to the observations of 1"):
        probe(Honest(), pool, PLAN, 4)


@pytest.mark.parametrize(
    ("sizes", "waiting", "expected"),
    [
        ((1,), 0, []),
        ((1,), 3, [1, 1, 1]),
        ((1, 2, 4), 7, [4, 2, 1]),
        ((1, 2, 4), 9, [4, 4, 1]),
        ((1, 8), 7, [1] * 7),
        ((1, 8), 17, [8, 8, 1]),
    ],
)
def test_groups_are_tried_sizes_and_cover_every_row_once(sizes, waiting, expected):
    cuts = Inference(sizes).groups(waiting)
    assert [cut.stop - cut.start for cut in cuts] == expected
    assert [i for cut in cuts for i in range(waiting)[cut]] == list(range(waiting))


def test_what_a_row_says():
    assert ALONE.describe() == "alone"
    assert Inference((1, 2, 8)).describe() == "batched 2 8"
    message = str(refuse(UniformPolicy()))
    assert "run.allow_unrepeatable=true" in message
    assert "start()" in message
