"""Environment peers of `throughput`: they do the same work as ours and leave nothing behind."""

from __future__ import annotations

import os
from contextlib import contextmanager

import gymnasium as gym
import numpy as np
import psutil
import pytest
from conftest import INSTALLED, needs_gl
from toy import TOY

from benchmark.engine.rollout import rollout
from benchmark.throughput.environments import ClosedLoop, _episode
from benchmark.throughput.job import EnvJob, StandIn
from benchmark.throughput.peers import PEERS, check, gymnasium_vector, lockstep, peers_of
from benchmark.throughput.peers.wrappers import Make
from envs.bare import make_bare
from envs.isolation.interpreter import THREADS
from envs.make import Workers
from envs.pool import make_pool
from envs.schema import ManigymError, flatten

STATE = ("proprio", "state")
SIZES = {"n_obs": 2, "n_action": 3}
OPENERS = {"sync": gymnasium_vector.open_sync, "async": gymnasium_vector.open_async}


class Reaching(StandIn):
    """The expert's action with noise and some of the last movement: episodes of many lengths that
    depend on both frames of every window and on every number drawn."""

    def __init__(self) -> None:
        super().__init__(("expert", "proprio"), **SIZES)
        self.seeds = []

    def start(self, interface, seeds):
        self.seeds += seeds
        return super().start(interface, seeds)

    def act(self, observations, states):
        noise = super().act(observations, states)
        proprio = observations["proprio"]
        moved = np.tanh(np.abs(proprio[:, 1] - proprio[:, 0]).sum(1))[:, None, None]
        toward = observations["expert"][:, 1][:, None]
        return np.clip(toward + 0.6 * noise + 0.1 * moved, -1, 1).astype(np.float32)


def reaching(**changes):
    options = {"observations": ("expert", "proprio"), "horizon": 25}
    settings = {"workers": Workers(2), "episodes": 5, "seed": 11, "seconds": 0.2}
    return EnvJob(TOY, options, Reaching(), **(settings | changes))


def ours(job):
    """(steps, sum of rewards) of the first repeat through the engine, by episode."""
    found = {}
    sizes = {"chunk": job.policy.spec.n_action, "n_obs": job.policy.spec.n_obs}

    def keep(outcome):
        assert outcome.summary is not None, outcome.failure
        found[outcome.episode.index] = (outcome.summary.steps, float(outcome.summary.rewards.sum()))

    with make_pool(job.env, job.options, Workers(1, "in_process"), **sizes) as pool:
        rollout(pool, job.policy, [_episode(job, i) for i in range(job.episodes)], keep)
    return [found[i] for i in range(job.episodes)]


@contextmanager
def running(peer, job, variant=""):
    """A peer's way of running the first repeat of a job: gives its episodes' logs."""
    make = Make(job.env, job.options, variant, episodic=True)
    workers = job.workers.count
    if peer == "vla-eval":
        module = pytest.importorskip("benchmark.throughput.peers.vla_eval", exc_type=ImportError)
        with module.opened(make, workers, job) as pipes:
            yield lambda: module.run_all(pipes, job, job.seed)
    elif peer == "runner":
        make = Make(job.env, job.options, variant, n_obs=job.policy.spec.n_obs)
        with gymnasium_vector.open_async(make, workers) as vector:
            yield lambda: lockstep.run_all(vector, job, job.seed)
    else:
        with opener(peer)(make, workers) as vector:
            windows = lockstep.OneByOne(vector, job.policy.spec.n_obs)
            yield lambda: lockstep.run_all(windows, job, job.seed)


def opener(peer):
    if peer == "sb3":
        pytest.importorskip("stable_baselines3")
        from benchmark.throughput.peers.sb3 import open_subproc

        return open_subproc
    return OPENERS[peer]


def processes():
    """Those below this one, but for multiprocessing's own, which stays."""
    below = psutil.Process().children(recursive=True)
    return [p for p in below if "resource_tracker" not in " ".join(p.cmdline())]


@pytest.mark.parametrize("peer", ["sync", "async", "runner", "sb3", "vla-eval"])
def test_episodes_are_ours_and_nothing_is_left(peer):
    job, before = reaching(), {p.pid for p in processes()}
    expected = ours(job)
    assert len({steps for steps, _ in expected}) > 2  # they end one after another
    with running(peer, job) as run:
        started = [p for p in processes() if p.pid not in before]
        assert len(started) == (0 if peer == "sync" else 2)
        found = run()
    assert [log.steps for log in found] == [steps for steps, _ in expected]
    assert [log.total_reward for log in found] == pytest.approx([r for _, r in expected], rel=1e-5)
    psutil.wait_procs(started, timeout=5)
    assert not any(p.is_running() for p in started)


def stepped_by_hand(job, seeds, actions):
    """Frames of environments that are stepped one after another, reset where they end."""
    rows = []
    for slot, seed in enumerate(seeds):
        env = Make(job.env, job.options)()
        env.reset(seed=seed)
        rows.append([])
        for action in actions[:, slot]:
            frame, _, terminated, truncated, _ = env.step(action)
            over = terminated or truncated
            rows[-1].append((env.reset()[0] if over else frame, over))
    return rows


@pytest.mark.parametrize("peer", OPENERS)
def test_steps_are_all_taken_and_observed(peer):
    job = EnvJob(TOY, {"observations": STATE, "horizon": 4}, StandIn(STATE, **SIZES))
    actions = np.random.default_rng(0).uniform(-1, 1, (10, 2, 3)).astype(np.float32)
    actions = actions[..., : gym.make(TOY).action_space.shape[0]]
    expected = stepped_by_hand(job, (5, 6), actions)
    with opener(peer)(Make(job.env, job.options), 2) as vector:
        vector.reset([5, 6])
        for k, action in enumerate(actions):
            frames, over = vector.step(action)
            for slot in range(2):
                frame, ended = expected[slot][k]
                assert over[slot] == ended
                assert all(np.array_equal(frames[key][slot], frame[key]) for key in STATE)


def test_steps_are_counted(monkeypatch):
    from envs.toy.env import ToyEnv

    taken, honest = [], ToyEnv.step
    monkeypatch.setattr(ToyEnv, "step", lambda self, a: taken.append(a) or honest(self, a))
    (contender,) = peers_of("steps", ["sync"], reaching())
    with contender.open() as once:
        assert once() == len(taken) > 0
        assert once() < len(taken)


def test_repeats_start_the_seeds_of_ours():
    job, mine = reaching(episodes=3), reaching(episodes=3)
    (contender,) = peers_of("episodes", ["sync"], job)
    loop = ClosedLoop(mine)
    with contender.open() as theirs, loop.contender().open() as own:
        assert [theirs(), own(), theirs(), own()] == [3, 3, 3, 3]
    assert job.policy.seeds == [11, 12, 13, 14, 15, 16]
    assert sorted(outcome.episode.seed for outcome in loop.outcomes) == [14, 15, 16]


def test_processes_have_the_thread_settings_of_ours(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("LP_NUM_THREADS", raising=False)
    before = {p.pid for p in processes()}
    (contender,) = peers_of("steps", ["async"], reaching(workers=Workers(1)))
    with contender.open():
        (worker,) = [p for p in processes() if p.pid not in before]
        found = worker.environ()
    assert {name: found.get(name) for name in THREADS} == THREADS
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "LP_NUM_THREADS" not in os.environ


def test_variants_and_what_is_missing(monkeypatch):
    job = reaching()
    assert Make(TOY, job.options, "upstream")().unwrapped.render_profile == "upstream"
    assert Make(TOY, job.options)().unwrapped.render_profile == "fast"
    (contender,) = peers_of("episodes", ["runner:upstream"], job)
    assert contender.name == "runner:upstream"
    with pytest.raises(ManigymError, match="':upstream', ':bare'"):
        peers_of("steps", ["async:pretty"], job)
    with pytest.raises(ManigymError, match=r"Toy has no bare environment.*Adroit, Robomimic"):
        Make(TOY, job.options, "bare")()
    with pytest.raises(ManigymError, match="arrays alone: leave instruction out"):
        Make(TOY, {"observations": ("proprio", "instruction")})()
    monkeypatch.setattr("benchmark.throughput.peers.find_spec", lambda _: None)
    with pytest.raises(ManigymError, match="sb3:bare needs stable_baselines3: pip install"):
        check(["sb3:bare"], ["steps"])


def test_an_environment_that_cannot_be_made():
    wrong = reaching()
    wrong.options["horizon"] = 0
    (contender,) = peers_of("steps", ["async"], wrong)
    with pytest.raises(ManigymError, match="horizon must be a whole number"), contender.open():
        pass


@pytest.mark.parametrize("measure", ["steps", "episodes"])
def test_a_process_that_ends_is_named(measure):
    before = {p.pid for p in processes()}
    (contender,) = peers_of(measure, ["async"], reaching(workers=Workers(1)))
    with contender.open() as once:
        (worker,) = [p for p in processes() if p.pid not in before]
        worker.kill()
        worker.wait()
        with pytest.raises(ManigymError, match=r"async: a process of it that runs Toy/reach-v0"):
            once()


@pytest.mark.parametrize("peer", ["sync", "async", "runner", "sb3", "vla-eval"])
def test_the_table_leads_to_contenders(peer):
    if not PEERS[peer].installed:
        pytest.skip(PEERS[peer].install)
    for measure in PEERS[peer].measures:
        (contender,) = peers_of(measure, [f"{peer}:bare"], reaching())
        assert (contender.name, contender.workers) == (f"{peer}:bare", 2)


needs_adroit = pytest.mark.skipif("Adroit/door-v0" not in INSTALLED, reason="needs Adroit")
BARE = {"Adroit/door-v0": {"reward": "upstream"}, "Robomimic/can-v0": {}}


def assert_same(env_id, options, steps, **of_ours):
    """Ours with the simulator's default pictures and the bare environment: equal bit for bit."""
    if env_id not in INSTALLED:
        pytest.skip(f"{env_id} is not installed")
    own = {**options, **of_ours, "render_profile": "upstream", "isolation": "in_process"}
    mine, bare = gym.make(env_id, **own), make_bare(env_id, options)
    rng = np.random.default_rng(0)
    for seed in (3, 4):
        (seen, _), (theirs, _) = mine.reset(seed=seed), bare.reset(seed=seed)
        for _ in range(steps):
            a, b = flatten(seen), flatten(theirs)
            assert a.keys() == b.keys()
            assert all(a[k].dtype == b[k].dtype and np.array_equal(a[k], b[k]) for k in a)
            action = rng.uniform(-1, 1, mine.action_space.shape).astype(np.float32)
            seen, *outcome, _ = mine.step(action)
            theirs, *their_outcome, _ = bare.step(action)
            assert outcome == their_outcome
    assert outcome[1:] == [False, True]  # the horizon was reached
    mine.close()
    bare.close()


@needs_gl
@pytest.mark.parametrize("env_id", BARE)
def test_bare_environments_do_the_same_work_and_draw_the_same_pictures(env_id):
    tiny = {"observations": (*STATE, "rgb"), "image_size": (16, 16), "horizon": 3}
    assert_same(env_id, tiny, 3, **BARE[env_id])


@needs_adroit
def test_episodes_of_bare_environments_are_ours():
    env_id = "Adroit/door-v0"
    options = {"observations": STATE, "horizon": 10}
    job = EnvJob(env_id, options, StandIn(STATE, **SIZES), Workers(2), episodes=2)
    expected = ours(EnvJob(env_id, {**options, **BARE[env_id]}, job.policy, episodes=2))
    with running("runner", job, "bare") as run:
        found = run()
    assert [tuple(log) for log in found] == [(s, pytest.approx(r, rel=1e-5)) for s, r in expected]


@needs_adroit
def test_bare_environments_refuse_what_they_cannot_do():
    for options, said in (
        ({"reward": "sparse"}, "no option 'reward'; it takes"),
        ({"protocol": "maniflow"}, "no protocol that changes actions"),
        ({"observations": ("point_cloud",)}, "not 'point_cloud'"),
    ):
        with pytest.raises(ManigymError, match=said):
            make_bare("Adroit/door-v0", options)
