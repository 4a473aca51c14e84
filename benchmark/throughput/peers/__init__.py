"""Other ways of doing the same work, measured beside ours where their packages are installed.

A peer is one file here and one entry of :data:`PEERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from benchmark.throughput.contest import Contender
from envs.schema import ManigymError


@dataclass(frozen=True)
class Peer:
    """``measures``: what it takes part in (``steps``, ``episodes``, ``loader``) and who makes its
    contender of the job. ``package`` must be importable; ``install`` says how to get it."""

    name: str
    about: str
    measures: Mapping[str, Callable[[Any], Contender]]
    package: str
    install: str

    @property
    def installed(self) -> bool:
        """Whether it can take part here."""
        return find_spec(self.package) is not None

    def contender(self, measure: str, job: Any) -> Contender:
        """Its way of doing the job; raises where it cannot."""
        if not self.installed:
            raise ManigymError(f"--against {self.name} needs {self.package}: {self.install}")
        return self.measures[measure](job)
