"""Several environments of one task, in this process or in worker processes, one episode each.

Every slot holds one environment and answers one request at a time. Requests are asynchronous:
:meth:`Pool.reset` and :meth:`Pool.run` return at once, :meth:`Pool.wait` gives the replies that
have arrived, so a slow episode never holds up the others.
"""

from __future__ import annotations

import select
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from envs.episode import Reply
from envs.isolation.link import (
    Link,
    LocalLink,
    RemoteError,
    Request,
    WorkerDied,
    close_all,
    reset_request,
)
from envs.isolation.memory import SlotArrays, fields
from envs.isolation.process import ProcessLink
from envs.isolation.server import FOLLOW, RUN
from envs.make import Workers, make_links
from envs.schema import ManigymError


class Failure(Exception):
    """A request that a slot could not serve; ``str()`` is the reason, ``details`` the traceback.

    ``own``: by its own doing. Not so where the worker died in a request of another slot.
    """

    def __init__(self, reason: str, details: str = "", own: bool = True) -> None:
        super().__init__(reason)
        self.details, self.own = details, own


class Pool:
    """Slots over links; use as a context manager so that workers always end.

    ``place``: where they run, ``versions``: of the simulator's packages there. A worker that dies,
    or shows no sign of life for its deadline, answers with a :class:`Failure` and is replaced; so
    does every slot of it that has an episode in flight.
    """

    def __init__(self, links: Sequence[Link], place: str) -> None:
        self.links, self.place, self.size = links, place, len(links)
        self.interface, self.versions = links[0].interface, links[0].versions
        self._asked: set[int] = set()

    def fingerprint(self) -> dict[str, str]:
        """What the simulator is made of: see :func:`envs.fingerprint.fingerprint`."""
        found: dict[str, str] = self.links[0].call("fingerprint")
        return found

    def render_device(self) -> str:
        """What draws the pictures, of the first slot: see ``TaskEnv.render_device``."""
        device: str = self.links[0].call("render_device")
        return device

    def reset(self, slot: int, seed: int, record: bool = False, film: bool = False) -> None:
        """Ask a slot to start the episode of ``seed``."""
        self._post(slot, reset_request(seed, track=True, record=record, film=film))

    def run(self, slot: int, actions: np.ndarray, n_obs: int) -> None:
        """Ask a slot to execute float32 (K, A) actions."""
        self._post(slot, Request(RUN, actions=actions, n_obs=n_obs))

    def follow(self, slot: int, steps: int, n_obs: int) -> None:
        """Ask a slot to execute so many actions of the environment's own expert."""
        self._post(slot, Request(FOLLOW, steps=steps, n_obs=n_obs))

    def _post(self, slot: int, request: Request) -> None:
        self.links[slot].post(request)
        self._asked.add(slot)

    def wait(self) -> list[tuple[int, Reply | Failure]]:
        """Block until at least one asked slot has answered; each answer is given once."""
        ready = [slot for slot in self._asked if isinstance(self.links[slot], LocalLink)]
        ready = ready or self._readable()
        self._asked -= set(ready)
        return [(slot, self._receive(self.links[slot])) for slot in sorted(ready)]

    def _readable(self) -> list[int]:
        waiting = {slot: self.links[slot] for slot in self._asked}
        links = {slot: link for slot, link in waiting.items() if isinstance(link, ProcessLink)}
        slots = {link.fileno(): slot for slot, link in links.items()}
        poll = select.poll()
        for descriptor in slots:
            poll.register(descriptor, select.POLLIN)
        while True:
            left = min(link.end_if_overdue() for link in links.values())
            if events := poll.poll(max(left, 0.0) * 1000 + 1):
                return [slots[descriptor] for descriptor, _ in events]

    def _receive(self, link: Link) -> Reply | Failure:
        try:
            return link.reply()
        except WorkerDied as death:
            assert isinstance(link, ProcessLink)
            link.restart()
            reason, _, output = str(death).partition("\n")
            return Failure(reason.removesuffix("; its last output:"), output, death.own)
        except RemoteError as error:
            return Failure(str(error), error.details)
        except ManigymError as error:
            return Failure(f"{type(error).__name__}: {error}")

    def close(self) -> None:
        close_all(self.links)
        self.links[0].memory.close()

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def make_pool(
    env_id: str,
    options: Mapping[str, Any],
    workers: Workers = Workers(),  # noqa: B008  frozen
    *,
    slots: int | None = None,
    chunk: int = 64,
    n_obs: int = 1,
) -> Pool:
    """A pool for chunks of at most ``chunk`` actions and ``n_obs`` frames a reply; ``slots``: fewer
    environments than the workers would hold."""
    links, place = make_links(env_id, options, workers, slots)
    memory = SlotArrays.shared(fields(links[0].interface, chunk, n_obs), len(links))
    for slot, link in enumerate(links):
        link.attach(memory, slot)
    return Pool(links, place)
