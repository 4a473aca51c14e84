"""Two runs side by side: were they made by the same rules, and which episodes do they share?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from benchmark.results import conditions
from benchmark.results.leaderboard import read_rows
from benchmark.results.records import EpisodeRecord, read_records
from benchmark.statistics.lengths import mean_weighted_success
from benchmark.statistics.paired import PairedTable
from envs.schema import ManigymError

# What belongs to a policy and may differ; everything else in config.yaml is the rules of the task.
# The name of the protocol stands in env_options, what it says in full beside it.
POLICY_KEYS = {"policy", "policy_options", "execute", "ensemble", "tasks"}
TASK_POLICY_KEYS = {"policy", "n_obs", "n_action", "checkpoint_sha256"}
SEES = {"observations", "cameras", "image_size", "num_points"}  # of env_options: the policy's eyes
NO_RULE = {"protocol", "isolation", "deadline"}
# Of the conditions: what a task is made of, and what belongs to a policy. The rest is circumstance.
SIMULATOR_KEYS = {"simulator", "simulator_numpy", "simulator_files"}
POLICY_CONDITIONS = {
    *("policy_code", "policy_packages", "renderer"),  # what draws is seen by pictures alone
    *("torch", "torch_blas", "torch_threads", "torch_cpu", "gpu"),
}
MISSING = "not given"


@dataclass(frozen=True)
class Run:
    """A run's folder, read."""

    path: Path
    config: Mapping[str, Any]
    records: Sequence[EpisodeRecord]
    stopped: frozenset[str] = frozenset()  # tasks with a row that a stopping rule ended

    @classmethod
    def read(cls, path: Path) -> Run:
        config = OmegaConf.to_container(OmegaConf.load(path / "config.yaml"))
        records = read_records(path)
        if not isinstance(config, dict) or not isinstance(config.get("tasks"), dict):
            raise ManigymError(f"{path / 'config.yaml'} is not the configuration of a run")
        if not records:
            raise ManigymError(f"{path} holds no episodes yet; finish the run first")
        return cls(path, {str(k): v for k, v in config.items()}, records, _stopped(path))

    @property
    def tasks(self) -> list[str]:
        return sorted({record.env for record in self.records})


def _stopped(run: Path) -> frozenset[str]:
    """As the leaderboard beside the run says."""
    board = run.parent / "leaderboard.csv"
    rows = read_rows(board) if board.exists() else []
    return frozenset(row["env"] for row in rows if row["run"] == run.name and row["stopping"])


@dataclass(frozen=True)
class Pair:
    """One episode in both runs."""

    a: EpisodeRecord
    b: EpisodeRecord

    @property
    def same_actions(self) -> bool:
        return self.a.action_hash == self.b.action_hash

    @property
    def same_states(self) -> bool:
        return self.a.state_hash == self.b.state_hash


@dataclass(frozen=True)
class TaskComparison:
    """The shared episodes of a task that ran in both runs, and why the others are left out."""

    env: str
    pairs: Sequence[Pair]
    left_out: Mapping[str, int]

    @property
    def table(self) -> PairedTable:
        return PairedTable.of(
            [bool(p.a.success) for p in self.pairs], [bool(p.b.success) for p in self.pairs]
        )

    def sel(self, reference_is_a: bool) -> float | None:
        """SEL of one run by the lengths of the other, over the episodes that the other solved."""
        pairs = ((p.b, p.a) if reference_is_a else (p.a, p.b) for p in self.pairs)
        return mean_weighted_success(
            (bool(one.success), one.steps or 0, other.steps or 0)
            for one, other in pairs
            if other.success
        )


@dataclass(frozen=True)
class RunComparison:
    """Two runs, paired. ``rules``: differences between them that are not the policy's;
    ``circumstances``: machine, code and libraries, where they differ.

    ``tasks``: all that are in both runs; :attr:`paired` those with shared episodes.
    """

    a: Run
    b: Run
    rules: Sequence[str]
    circumstances: Sequence[str]
    tasks: Sequence[TaskComparison]
    only_a: Sequence[str]
    only_b: Sequence[str]

    @property
    def paired(self) -> list[TaskComparison]:
        return [task for task in self.tasks if task.pairs]

    @property
    def same_name(self) -> bool:
        """Made by the same policy and settings, so that every bit should be the same."""
        return self.a.path.name == self.b.path.name


def compare_runs(a: Run, b: Run) -> RunComparison:
    """Pair the episodes of two runs by task and seed. Raises where they share none."""
    shared = [env for env in a.tasks if env in b.tasks]
    if not shared:
        raise ManigymError(
            f"{a.path.name} and {b.path.name} share no task: {', '.join(a.tasks)} and "
            f"{', '.join(b.tasks)}; run both with the same --env"
        )
    tasks = [_compare_task(env, a.records, b.records) for env in shared]
    if not any(task.pairs for task in tasks):
        raise _nothing_shared(a, b, tasks)
    return RunComparison(
        a,
        b,
        rule_differences(a, b, shared),
        circumstance_differences(a, b, shared),
        tasks,
        [env for env in a.tasks if env not in shared],
        [env for env in b.tasks if env not in shared],
    )


def _nothing_shared(a: Run, b: Run, tasks: Sequence[TaskComparison]) -> ManigymError:
    reasons = Counter[str]()
    for task in tasks:
        reasons.update(task.left_out)
    left_out = ", ".join(f"{count} {why}" for why, count in reasons.items())
    return ManigymError(
        f"the runs share no episode that ran in both ({left_out}; --seed {a.config.get('seed')} "
        f"and {b.config.get('seed')}); run both with the same --seed, then episode i starts from "
        "the same state in both"
    )


def rule_differences(a: Run, b: Run, tasks: Sequence[str]) -> list[str]:
    """Every way in which the runs were made by different rules, as readable lines."""
    found = _differences("", _without(a.config, POLICY_KEYS), _without(b.config, POLICY_KEYS))
    lines = [f"{key}: {x} in A, {y} in B" for key, x, y in found]
    for env in tasks:
        rules = _task_rules(a, env), _task_rules(b, env)
        lines += [f"{env}, {key}: {x} in A, {y} in B" for key, x, y in _differences("", *rules)]
    return lines


def circumstance_differences(a: Run, b: Run, tasks: Sequence[str]) -> list[str]:
    """What else differs and cannot change a rule, but can change bits; once for all tasks."""
    ignored = SIMULATOR_KEYS | POLICY_CONDITIONS | set(conditions.WITHOUT_EFFECT)
    found = {
        f"{key}: {x} in A, {y} in B": None
        for env in tasks
        for key, x, y in _differences(
            "", _without(_conditions(a, env), ignored), _without(_conditions(b, env), ignored)
        )
    }
    return list(found)


def _compare_task(
    env: str, a: Sequence[EpisodeRecord], b: Sequence[EpisodeRecord]
) -> TaskComparison:
    left, right = _by_seed(a, env), _by_seed(b, env)
    shared = [seed for seed in left if seed in right]
    pairs = [Pair(left[seed], right[seed]) for seed in shared]
    whole = [p for p in pairs if p.a.status == p.b.status == "ok"]
    repeated = sum(r.env == env for r in (*a, *b)) - len(left) - len(right)
    reasons = {
        "only in A": len(left) - len(shared),
        "only in B": len(right) - len(shared),
        "ended in an error": len(pairs) - len(whole),
        "with a seed that came before": repeated,
    }
    return TaskComparison(env, whole, {why: count for why, count in reasons.items() if count})


def _by_seed(records: Sequence[EpisodeRecord], env: str) -> dict[int, EpisodeRecord]:
    """The first episode of every seed, in the order of the plan."""
    found: dict[int, EpisodeRecord] = {}
    for record in records:
        if record.env == env:
            found.setdefault(record.seed, record)
    return found


def _task_rules(run: Run, env: str) -> dict[str, Any]:
    task = run.config["tasks"].get(env, {})
    options = _without(task.get("env_options") or {}, SEES | NO_RULE)
    made_of = {k: v for k, v in _conditions(run, env).items() if k in SIMULATOR_KEYS}
    return _without(task, TASK_POLICY_KEYS) | {"env_options": options} | made_of


def _conditions(run: Run, env: str) -> dict[str, str]:
    """Of all episodes of a task; several values where the run was continued elsewhere."""
    names = sorted({r.conditions for r in run.records if r.env == env})
    found = [conditions.read(run.path, name) for name in names]
    keys = dict.fromkeys(key for one in found for key in one)
    return {k: " | ".join(sorted({one.get(k, MISSING) for one in found})) for k in keys}


def _without(mapping: Mapping[str, Any], keys: set[str]) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if key not in keys}


def _differences(prefix: str, a: Any, b: Any) -> Iterator[tuple[str, Any, Any]]:
    """Leaves at which two nested mappings differ: dotted key, value in A, value in B."""
    if not isinstance(a, Mapping) or not isinstance(b, Mapping):
        if a != b:
            yield prefix, a, b
        return
    for key in dict.fromkeys([*a, *b]):
        dotted = f"{prefix}.{key}" if prefix else str(key)
        yield from _differences(dotted, a.get(key, MISSING), b.get(key, MISSING))
