"""Signs of life of a worker: what its environments write into the shared memory."""

from __future__ import annotations

from time import monotonic

from envs.isolation.memory import Row


class Watch:
    """Whether a worker still moves. ``since``: when a request was last handed over, or it moved.

    ``rows``: scene -> its row, of those that are attached.
    """

    def __init__(self, deadline: float) -> None:
        self.rows: dict[int, Row] = {}
        self.overdue = False
        self._deadline, self._progress, self.since = deadline, 0, monotonic()

    def left(self) -> float:
        """Seconds until it is overdue: a request may wait while another scene's is executed."""
        now = monotonic()
        progress = sum(int(row["progress"][0]) for row in self.rows.values())
        if progress != self._progress:
            self._progress, self.since = progress, now
        left = self.since + self._deadline - now
        self.overdue = self.overdue or left <= 0
        return left

    def served(self) -> set[int]:
        """Of several scenes, the one whose request is being executed."""
        return {scene for scene, row in self.rows.items() if row["busy"][0]}
