"""A link whose episode survives its worker."""

from __future__ import annotations

import logging
from typing import Any

from envs.isolation.link import Link, Request, WorkerDied
from envs.isolation.process import ProcessLink
from envs.isolation.server import RESET
from envs.schema import SimulationError

log = logging.getLogger("manigym")


class DurableLink:
    """Keeps what led from the last reset to the present state, and repeats it after a death.

    Results are the same as without the death, because an episode is determined by its seed and its
    requests. A worker that dies twice at the same point is an error.
    """

    def __init__(self, link: Link, env_id: str) -> None:
        self.link, self._env_id = link, env_id
        self._journal: list[Request] = []

    def post(self, request: Request, changes: bool = True) -> None:
        """Hand over a request; ``changes``: the state after it is not the state before."""
        if request.kind == RESET:
            self._journal = []
        self._pending, self._changes = request, changes
        self.link.post(request)

    def take(self) -> Any:
        """The answer, as of :meth:`Link.take`."""
        try:
            content = self.link.take()
        except WorkerDied as death:
            log.warning("%s: %s\nrepeating the episode so far", self._env_id, death)
            content = self._repeat()
        if self._changes:
            self._journal.append(self._pending)
        return content

    def _repeat(self) -> Any:
        assert isinstance(self.link, ProcessLink)
        self.link.restart()
        try:
            for request in (*self._journal, self._pending):
                self.link.post(request)
                content = self.link.take()
            return content
        except WorkerDied as death:
            self.link.restart()
            raise SimulationError(
                f"{self._env_id}: the worker died a second time while repeating the episode, "
                f"{len(self._journal)} requests after its reset: {death}"
            ) from None
