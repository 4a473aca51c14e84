"""When a run may end before its plan does.

Judged by evidence that may be looked at after every episode (``statistics.sequential``), in the
order of the plan and only over its unbroken beginning: so the end does not depend on which episodes
happened to finish first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.config import RunSettings
from benchmark.engine.plan import PlannedEpisode
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

    def end(self, plan: Sequence[PlannedEpisode], records: Sequence[EpisodeRecord]) -> int | None:
        """How many episodes of the plan count; ``None`` while nothing is decided."""
        done = {(r.env, r.episode, r.seed): r for r in records}
        outcomes, positions = list[bool](), list[int]()
        for position, episode in enumerate(plan):
            record = done.get((episode.env, episode.index, episode.seed))
            if record is None:
                break
            if record.status == "ok" and self._tells(record):
                outcomes.append(bool(record.success))
                positions.append(position)
        decided = self.test.stop_at(outcomes)
        return None if decided is None else positions[decided - 1] + 1

    def _tells(self, record: EpisodeRecord) -> bool:
        if self.reference is None:
            return True
        return self.reference.get(record.seed, record.success) != record.success

    def describe(self, planned: int, end: int | None) -> str:
        """For the row: the rule and what came of it."""
        result = f"undecided in {planned}" if end is None else f"decided after {end} of {planned}"
        return f"{self.name} at {100 * self.test.confidence:g} %: {result}"


def stopping_rule(env: str, settings: RunSettings, out: Path) -> StoppingRule | None:
    """What ``run.stop_rate`` or ``run.stop_against`` asks for."""
    if settings.stop_rate is not None:
        name = f"rate against {settings.stop_rate:g}"
        return StoppingRule(Stopping(settings.stop_rate, settings.confidence), name)
    if settings.stop_against is None:
        return None
    run = find_run(out, settings.stop_against)
    seen = {r.seed: bool(r.success) for r in read_records(run) if (r.env, r.status) == (env, "ok")}
    if not seen:
        raise ManigymError(
            f"run.stop_against={settings.stop_against}: {run} has no episode of {env}; run it "
            "there first, with the same --seed"
        )
    return StoppingRule(Stopping(0.5, settings.confidence), f"against {run.name}", seen)
