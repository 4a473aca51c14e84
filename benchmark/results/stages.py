"""Where the time of a run went, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from benchmark.results.records import EpisodeRecord

SMALL = 0.01  # shares below are not worth a word


def time_spent(records: Iterable[EpisodeRecord]) -> dict[str, str]:
    """By task: the mean seconds of an episode and the shares of its stages, largest first; films,
    which only the first episodes have, apart.

    Workers run side by side and the policy beside them, so that these add up to more than the time
    on the clock.
    """
    totals: dict[str, Counter[str]] = {}
    episodes: Counter[str] = Counter()
    for record in records:
        if record.stages:
            episodes[record.env] += 1
            stages = {name: s for name, s in record.stages.items() if name != "film"}
            totals.setdefault(record.env, Counter()).update(stages)
    return {env: in_words(stages, episodes[env]) for env, stages in totals.items()}


def in_words(stages: Mapping[str, float], episodes: int) -> str:
    """Seconds by stage of so many episodes, e.g. ``0.5 s an episode: simulate 60%, render 40%``."""
    whole = sum(stages.values())
    shares = sorted(stages.items(), key=lambda item: -item[1])
    named = [f"{name} {s / whole:.0%}" for name, s in shares if s > SMALL * whole]
    return f"{whole / episodes:.3g} s an episode: {', '.join(named)}"
