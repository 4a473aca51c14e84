"""Other ways of doing the same work, measured beside ours where their packages are installed.

A peer is one file here and one entry of :data:`PEERS`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from benchmark.throughput.contest import Contender
from envs.schema import ManigymError

HERE = __name__


@dataclass(frozen=True)
class Peer:
    """``measures``: what it takes part in (``steps``, ``episodes``, ``loader``) and
    ``"file:function"`` of this folder, called with the job and the variant (what stands behind the
    colon in ``async:upstream``, else empty), which gives a :class:`Contender`.

    ``package`` must be importable; ``install`` says how to get it.
    """

    about: str
    measures: Mapping[str, str]
    package: str
    install: str = ""

    @property
    def installed(self) -> bool:
        """Whether it can take part here."""
        return find_spec(self.package) is not None


PEERS: Mapping[str, Peer] = {}


def check(names: Sequence[str]) -> None:
    """Raise for peers that do not exist or are not installed."""
    for name in names:
        peer = PEERS.get(name.partition(":")[0])
        if peer is None:
            raise ManigymError(f"--against {name}: no such peer; there are {', '.join(PEERS)}")
        if not peer.installed:
            raise ManigymError(f"--against {name} needs {peer.package}: {peer.install}")


def peers_of(measure: str, names: Sequence[str], job: Any) -> list[Contender]:
    """The contenders of those that take part in a measure."""
    found = []
    for name in names:
        name, _, variant = name.partition(":")
        if place := PEERS[name].measures.get(measure):
            module, _, function = place.partition(":")
            found.append(getattr(import_module(f"{HERE}.{module}"), function)(job, variant))
    return found
