"""A worker process as its environments share it: started again once, whoever asks first."""

from __future__ import annotations

import weakref
from collections.abc import Collection
from contextlib import suppress

from envs.isolation.child import Child, Order
from envs.isolation.link import CLOSE_SECONDS


class Workplace:
    """The process for some scenes (numbers of environments), and its replacements.

    A link holds the :class:`Child` it speaks to; whether that is still :attr:`child` tells it
    whether its environment has been lost.
    """

    def __init__(self, order: Order, scenes: Collection[int] = (0,)) -> None:
        self.order, self._scenes = order, set(scenes)
        self._open()

    def _open(self) -> None:
        self.child = Child(self.order, self._scenes)
        self._finalizer = weakref.finalize(self, self.child.end, 0.0)

    def replacement(self, lost: Child) -> Child:
        """A process other than ``lost``, which is ended: a sibling may have started it already."""
        if self.child is lost or not self.child.runs():
            self.child.reap(0.0)
            for scene, connection in self.child.connections.items():
                if scene not in self.child.watch.rows:  # else its link has yet to read its end
                    connection.close()
            self._finalizer.detach()
            self._open()
        return self.child

    def leave(self, scene: int) -> None:
        """This environment is needed no more; its worker may go on with the others."""
        self._scenes.discard(scene)
        with suppress(KeyError):  # has left before this process began
            self.child.connections[scene].close()

    def close(self, patience: float = CLOSE_SECONDS) -> None:
        """End the process, unless other environments are left in it."""
        if not self._scenes:
            self.child.end(patience)
            self._finalizer.detach()
