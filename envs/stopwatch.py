"""Where the time goes: seconds by stage."""

from __future__ import annotations

from time import perf_counter
from types import TracebackType


class Stopwatch:
    """``with stopwatch("render"): ...`` adds to ``seconds["render"]``.

    A stage inside another counts for itself alone, so that all stages add up to the time spent in
    the outermost ones. Not for several threads.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._open: list[str] = []
        self._since = 0.0

    def __call__(self, stage: str) -> Stopwatch:
        """Enter this stage with ``with``."""
        self._book()
        self._open.append(stage)
        return self

    def __enter__(self) -> None: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._book()
        self._open.pop()

    def _book(self) -> None:
        """Give the time since the last change to the stage that is running."""
        now = perf_counter()
        if self._open:
            stage = self._open[-1]
            self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._since
        self._since = now

    def take(self) -> dict[str, float]:
        """The seconds by stage since the last call; begins anew."""
        taken, self.seconds = self.seconds, {}
        return taken
