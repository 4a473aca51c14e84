"""When a run may end before its plan does.

Judged by evidence that may be looked at after every episode (``statistics.sequential``), in the
order of the plan and only over its unbroken beginning: so the end does not depend on which episodes
happened to finish first.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.config import RunSettings
from benchmark.engine.plan import PlannedEpisode
from benchmark.results.files import write_whole
from benchmark.results.records import EpisodeRecord, find_run, read_records
from benchmark.statistics.sequential import Stopping
from envs.schema import ManigymError


@dataclass(frozen=True)
class StoppingRule:
    """Stop when successes are known not to be as frequent as ``test.rate``.

    ``reference``: success by seed of an earlier run. With one, only episodes count whose outcome
    differs from its, and the question is which of the two is the more frequent winner.
    """

    test: Stopping
    name: str
    reference: Mapping[int, bool] | None = field(default=None, repr=False)

    def end(self, plan: Sequence[PlannedEpisode], records: Iterable[EpisodeRecord]) -> int | None:
        """How many episodes of the plan count; ``None`` while nothing is decided.

        An episode in ``records`` with status ``error`` is passed over; one that may still be tried
        again must be left out of them, as it is not known yet.
        """
        watch = Watch(self, plan)
        for record in records:
            watch.note(record)
        return watch.end

    def tells(self, record: EpisodeRecord) -> bool:
        """Whether an episode says anything to the question."""
        if record.status != "ok":
            return False
        if self.reference is None:
            return True
        return self.reference.get(record.seed, record.success) != record.success

    def describe(self, planned: int, end: int | None) -> str:
        """For the row: the rule and what came of it."""
        result = f"undecided in {planned}" if end is None else f"decided after {end} of {planned}"
        return f"{self.name} at {100 * self.test.confidence:g} %: {result}"


class Watch:
    """Follows a run: ``end`` is how many episodes of the plan count, once that is decided."""

    def __init__(self, rule: StoppingRule, plan: Sequence[PlannedEpisode]) -> None:
        self.end: int | None = None
        self._rule, self._plan = rule, plan
        self._known: dict[tuple[str, int, int], EpisodeRecord] = {}
        self._position = self._successes = self._episodes = 0

    def note(self, record: EpisodeRecord) -> None:
        """An episode that is finished for good, in any order."""
        self._known[record.env, record.episode, record.seed] = record
        while self.end is None and self._position < len(self._plan):
            next_one = self._plan[self._position]
            known = self._known.get((next_one.env, next_one.index, next_one.seed))
            if known is None:
                return
            self._position += 1
            if self._rule.tells(known):
                self._episodes += 1
                self._successes += bool(known.success)
                if self._rule.test.decided(self._successes, self._episodes):
                    self.end = self._position


def stopping_rule(
    env: str, settings: RunSettings, out: Path, run: Path | None = None
) -> StoppingRule | None:
    """What ``run.stop_rate`` or ``run.stop_against`` asks for.

    The outcomes of the run to be held against are copied into the folder ``run`` at first use and
    read from there ever after: a rule must not change because that run went on.
    """
    if settings.stop_rate is not None:
        name = f"rate against {settings.stop_rate:g}"
        return StoppingRule(Stopping(settings.stop_rate, settings.confidence), name)
    if settings.stop_against is None:
        return None
    name, outcomes = _reference(settings.stop_against, out, run)
    seen = {int(seed): success for seed, success in outcomes.get(env, {}).items()}
    if not seen:
        raise ManigymError(
            f"run.stop_against={settings.stop_against}: {name} has no episode of {env}; run it "
            "there first, with the same --seed"
        )
    return StoppingRule(Stopping(0.5, settings.confidence), f"against {name}", seen)


Outcomes = dict[str, dict[str, bool]]  # task -> seed, as text -> success


def _reference(asked: str, out: Path, run: Path | None) -> tuple[str, Outcomes]:
    """Name and outcomes of the run to be held against."""
    kept = run / "reference" if run else None
    if kept is not None and (kept / f"{Path(asked).name}.json").exists():
        return Path(asked).name, _frozen(kept / f"{Path(asked).name}.json")
    other = find_run(out, asked)
    if kept is None:
        return other.name, _outcomes(other)
    file = kept / f"{other.name}.json"
    if not file.exists():
        write_whole(file, json.dumps(_outcomes(other)).encode())
    return other.name, _frozen(file)


def _outcomes(run: Path) -> Outcomes:
    found: Outcomes = {}
    for record in read_records(run):
        if record.status == "ok":
            found.setdefault(record.env, {})[str(record.seed)] = bool(record.success)
    return found


def _frozen(file: Path) -> Outcomes:
    try:
        found: Outcomes = json.loads(file.read_bytes())
    except ValueError as error:
        raise ManigymError(f"{file} is damaged ({error}); restore it from a copy") from None
    return found
