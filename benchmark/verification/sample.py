"""A sample of every row's episodes, executed once more; what comes out becomes its findings."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmark.progress import progress
from benchmark.results import conditions
from benchmark.results.records import EpisodeRecord
from benchmark.verification.board import CheckedRow
from benchmark.verification.evidence import DIFFERENT, UNCHECKED
from benchmark.verification.reexecution import RecordedTask, Replayed, likely_causes, replay, stage
from benchmark.verification.rerun import other_words, recorded_job, rerun
from envs.make import Workers
from envs.schema import ManigymError

Records = Sequence[EpisodeRecord]
Executed = tuple[list[Replayed], list[str]]  # and the likely causes of what differs
Key = tuple[str, str, str]  # how, run, record


def sampled(row: CheckedRow, count: int | None, seed: int) -> list[EpisodeRecord]:
    """``count`` (``None``: all) of the row's episodes, chosen by seed, run and task."""
    records = row.executable
    if count is None or count >= len(records):
        return records
    key = zlib.crc32(f"{row.cells['run']}/{row.cells['env']}".encode())
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(key,)))
    return [records[i] for i in sorted(rng.choice(len(records), count, replace=False))]


class Execution:
    """Executes every record once, however many rows count it; ``episodes`` is how many it was."""

    def __init__(self, workers: Workers) -> None:
        self.episodes = 0
        self._workers = workers
        self._done: dict[Key, Replayed] = {}
        self._causes: dict[Key, list[str]] = {}

    def check(self, row: CheckedRow, records: Records, with_policy: bool) -> None:
        """Execute the recorded actions, and ask the policy; findings go to the row."""
        try:
            self._check(row, "executed again", records, lambda left: self._actions(row, left))
            if with_policy:
                self._ask_policy(row, records)
        except (ManigymError, ImportError) as problem:  # a simulator or a policy is not here
            row.found(UNCHECKED, f"it cannot be executed again: {problem}")

    def _check(
        self, row: CheckedRow, how: str, records: Records, execute: Callable[[Records], Executed]
    ) -> None:
        keys = {(how, row.cells["run"], record.to_json()): record for record in records}
        left = [record for key, record in keys.items() if key not in self._done]
        if left:
            done, causes = execute(left)
            for one in done:
                key = how, row.cells["run"], one.record.to_json()
                self._done[key], self._causes[key] = one, causes
        different = {key: one for key in keys if not (one := self._done[key]).identical}
        said = {finding.text for finding in row.findings}
        causes = list(dict.fromkeys(text for key in different for text in self._causes[key]))
        texts = [*summary(list(different.values()), how), *causes]
        row.found(DIFFERENT, *(text for text in texts if text not in said))

    def _actions(self, row: CheckedRow, records: Records) -> Executed:
        assert row.evidence is not None
        task = RecordedTask.read(row.evidence.path, row.cells["env"])
        workers = self._workers.at_most(len(records))
        done = []
        with stage(task, workers) as pool, _bar(row, records, "actions") as bar:
            for one in replay(pool, task, records):
                done.append(one)
                bar.update()
            self.episodes += len(done)
            different = [one.record for one in done if not one.identical]
            if not different:
                return done, []
            return done, likely_causes(task, different, conditions.surroundings(pool))

    def _ask_policy(self, row: CheckedRow, records: Records) -> None:
        assert row.evidence is not None
        run, how = row.evidence.path, "run again with the policy"
        job = recorded_job(row, self._workers)
        row.found(DIFFERENT, *(f"{how}: {text}" for text in other_words(job, row)))

        def execute(left: Records) -> Executed:
            with _bar(row, left, "policy") as bar:
                return rerun(job, run, left, bar.update)

        self._check(row, how, records, execute)


def _bar(row: CheckedRow, records: Records, what: str) -> Any:
    return progress(len(records), 0, f"line {row.number} {row.cells['env']} {what}", "ep")


def summary(different: Sequence[Replayed], how: str = "", shown: int = 1) -> list[str]:
    """The first ``shown`` episodes that differ in full, and the numbers of the others."""
    ordered = sorted(different, key=lambda one: one.record.episode)
    manner = f", {how}" if how else ""
    lines = [
        f"episode {one.record.episode}{manner}: {'; '.join(one.differences)}"
        for one in ordered[:shown]
    ]
    if others := [str(one.record.episode) for one in ordered[shown:]]:
        numbers = ", ".join(others[:10]) + (", ..." if len(others) > 10 else "")
        lines.append(f"and {len(others)} more{manner}: episode {numbers}")
    return lines
