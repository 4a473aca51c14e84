"""Paired timing: several ways of doing the same work, in turn, round after round.

Machines are shared and their clocks change, so a figure means little by itself; what is reported
is how the contenders compare *within* each round. CPU time is that of this process and of all it
has started.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from statistics import median
from time import perf_counter, process_time

import psutil

Once = Callable[[], float]
"""Does one repeat of the work and says how many units it was."""


@dataclass(frozen=True)
class Contender:
    """One way of doing the work. ``open`` prepares it (starts its processes) and gives a
    :data:`Once`; leaving the context ends everything it has started.

    ``detail``: what a table says beside the name, e.g. ``chunks of 8``. ``observed``: the share of
    its units that are observed, where they are steps.
    """

    name: str
    open: Callable[[], AbstractContextManager[Once]]
    workers: int = 1
    detail: str = ""
    observed: float = 1.0


@dataclass(frozen=True)
class Sample:
    """One repeat: units done, seconds on the clock, seconds of CPU in all processes."""

    units: float
    seconds: float
    cpu_seconds: float

    @property
    def rate(self) -> float:
        """Units per second on the clock."""
        return self.units / self.seconds


@dataclass(frozen=True)
class Result:
    """A contender's repeats; ``samples[i]`` of all contenders belong to the same round."""

    contender: Contender
    samples: tuple[Sample, ...]

    @property
    def rate(self) -> float:
        """Median units per second."""
        return median(sample.rate for sample in self.samples)

    @property
    def spread(self) -> tuple[float, float]:
        """Lowest and highest units per second."""
        rates = [sample.rate for sample in self.samples]
        return min(rates), max(rates)

    @property
    def cpu_seconds(self) -> float:
        """Median CPU seconds of all processes per unit."""
        return median(sample.cpu_seconds / sample.units for sample in self.samples)

    def against(self, other: Result) -> tuple[float, float, float]:
        """How many times as fast as ``other``: median over the rounds, lowest, highest."""
        pairs = zip(self.samples, other.samples, strict=True)
        ratios = [mine.rate / theirs.rate for mine, theirs in pairs]
        return median(ratios), min(ratios), max(ratios)


@dataclass(frozen=True)
class Contest:
    """``load``: the machine's load average, highest seen between the rounds (ours included)."""

    results: tuple[Result, ...]
    load: float


def contest(
    contenders: Sequence[Contender], repeats: int, on_turn: Callable[[], None] = lambda: None
) -> Contest:
    """Let all contenders do their work ``repeats`` times in turn, after a turn to warm up.

    Each round begins with another contender, so that none always follows the same one.
    """
    samples: list[list[Sample]] = [[] for _ in contenders]
    load = os.getloadavg()[0]
    with ExitStack() as stack:
        runs = [stack.enter_context(contender.open()) for contender in contenders]
        for run in runs:
            run()
            on_turn()
        for turn in range(repeats):
            first = turn % len(runs)
            for i in (*range(first, len(runs)), *range(first)):
                samples[i].append(_timed(runs[i]))
                on_turn()
            load = max(load, os.getloadavg()[0])
    pairs = zip(contenders, samples, strict=True)
    return Contest(tuple(Result(contender, tuple(found)) for contender, found in pairs), load)


def _timed(run: Once) -> Sample:
    cpu, started = cpu_seconds(), perf_counter()
    units = run()
    seconds = perf_counter() - started
    return Sample(units, seconds, cpu_seconds() - cpu)


def cpu_seconds() -> float:
    """CPU seconds so far of this process and of all processes below it that are running; those of
    the others in ticks of 10 ms."""
    total = process_time()
    for process in psutil.Process().children(recursive=True):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total
