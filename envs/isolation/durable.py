"""A link whose episode survives its worker."""

from __future__ import annotations

import logging
from collections.abc import Callable
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
        self._open = False  # a request is neither in the journal nor refused

    def post(self, request: Request, changes: bool = True) -> None:
        """Hand over a request; ``changes``: the state after it is not the state before.

        Where Ctrl-C came between the last request and the journal, that request is undone: its
        answer would pass for that of this one, and its effect would be lost with the worker.
        """
        if self._open:
            self.link.abandon()
        if request.kind == RESET:
            self._journal = []
        self._pending, self._changes, self._open = request, changes, True
        self._unless_refused(self.link.post, request)

    def take(self) -> Any:
        """The answer, as of :meth:`Link.take`."""
        content = self._unless_refused(self._answer)
        if self._changes and isinstance(self.link, ProcessLink):
            self._journal.append(self._pending)
        self._open = False
        return content

    def _unless_refused(self, act: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return act(*arguments)
        except Exception:
            self._open = False
            raise

    def _answer(self) -> Any:
        try:
            return self.link.take()
        except WorkerDied as death:
            log.warning("%s: %s\nrepeating the episode so far", self._env_id, death)
            return self._repeat()

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
