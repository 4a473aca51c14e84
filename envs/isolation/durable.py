"""A link whose episode survives its worker."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from threading import get_ident
from typing import Any

from envs.isolation.link import Link, Request, WorkerDied
from envs.isolation.process import ProcessLink
from envs.isolation.server import CALL, CHANGES, OBSERVE, RESET
from envs.schema import ManigymError, SimulationError

log = logging.getLogger("manigym")


class DurableLink:
    """Keeps what led from the last reset to the present state, and repeats it after a death.

    Results are the same as without the death, because an episode is determined by its seed and its
    requests. A worker that dies twice at the same point is an error. Used by one thread at a time.
    """

    def __init__(self, link: Link, env_id: str) -> None:
        self.link, self._env_id = link, env_id
        self._journal: list[Request] = []
        self._owner = 0  # the thread whose request is neither in the journal nor refused

    def post(self, request: Request) -> None:
        """Hand over a request.

        Where Ctrl-C came between the last request and the journal, that request is undone: its
        answer would pass for that of this one, and its effect would be lost with the worker.
        """
        if self._owner not in (0, get_ident()):
            raise ManigymError(
                f"{self._env_id}: another thread is using this environment; make one for each"
            )
        if self._owner:
            log.info("%s: interrupted; repeating the episode so far", self._env_id)
            self.link.abandon()
            self._execute(() if request.kind == RESET else self._journal)
        self._pending, self._owner = request, get_ident()
        self._unless_refused(self.link.post, request)

    def take(self) -> Any:
        """The answer, as of :meth:`Link.take`."""
        content = self._unless_refused(self._answer)
        if isinstance(self.link, ProcessLink) and self._changes(self._pending):
            self._note(self._pending)
        self._owner = 0
        return content

    def _changes(self, request: Request) -> bool:
        """Whether the state after the request is not the state before."""
        if request.kind == OBSERVE:
            return "expert" in self.link.chosen["observations"]  # which has a state of its own
        return request.kind != CALL or request.call[0] in CHANGES

    def _note(self, request: Request) -> None:
        """A reset, or a snapshot restored, leaves nothing of what was before."""
        if request.kind == RESET:
            self._journal.clear()
        elif request.call[0] == "restore":
            del self._journal[1:]
        self._journal.append(request)

    def _unless_refused(self, act: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return act(*arguments)
        except Exception:
            self._owner = 0
            raise

    def _answer(self) -> Any:
        try:
            return self.link.take()
        except WorkerDied as death:
            log.warning("%s: %s\nrepeating the episode so far", self._env_id, death)
            return self._repeat(death)

    def _repeat(self, death: WorkerDied) -> Any:
        """Deaths that another environment of the worker brought about do not count."""
        assert isinstance(self.link, ProcessLink)
        so_far = () if self._pending.kind == RESET else self._journal
        deaths = int(death.own)
        while True:
            self.link.restart()
            try:
                return self._execute((*so_far, self._pending))
            except WorkerDied as again:
                death, deaths = again, deaths + again.own
            if deaths == 2:
                self.link.restart()
                raise SimulationError(
                    f"{self._env_id}: the worker died a second time while repeating the episode, "
                    f"{len(self._journal)} requests after its reset: {death}"
                )

    def _execute(self, requests: Iterable[Request]) -> Any:
        content = None
        for request in requests:
            self.link.post(request)
            content = self.link.take()
        return content
