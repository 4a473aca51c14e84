"""Training curves: JSON lines always, TensorBoard always, Weights & Biases when asked."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from envs.schema import ManigymError


class MetricLog:
    """Writes ``metrics.jsonl`` and a TensorBoard event file below ``folder``.

    Opened again at ``step`` by a resumed run, it drops the lines written after that step.
    """

    def __init__(self, folder: Path, step: int, config: Mapping[str, Any], use_wandb: bool) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._wandb = _start_wandb(folder, config) if use_wandb else None
        path = folder / "metrics.jsonl"
        kept = [line for line in _lines(path) if json.loads(line)["step"] <= step]
        path.write_text("".join(line + "\n" for line in kept))
        self._file = path.open("a")
        self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=step or None)

    def write(self, step: int, **metrics: float) -> None:
        with ctrl_c_later():
            self._write(step, **metrics)

    def _write(self, step: int, **metrics: float) -> None:
        self._file.write(json.dumps({"step": step, **metrics}) + "\n")
        self._file.flush()
        for name, value in metrics.items():
            self._board.add_scalar(name, value, step)
        if self._wandb is not None:
            self._wandb.log(metrics, step=step)

    def close(self) -> None:
        self._file.close()
        self._board.close()
        if self._wandb is not None:
            self._wandb.finish()


@contextmanager
def ctrl_c_later() -> Iterator[None]:
    """Ctrl-C within the block counts at its end.

    TensorBoard's writer shares a lock with its thread: an interrupt that comes while it is held
    leaves the thread waiting, and closing the log would wait for the thread.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals reach the main thread only
        return
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt


def _lines(path: Path) -> list[str]:
    """Complete lines; a last line cut by a crash is left out."""
    return path.read_text().split("\n")[:-1] if path.exists() else []


def _start_wandb(folder: Path, config: Mapping[str, Any]) -> Any:
    try:
        import wandb
    except ImportError:
        raise ManigymError(
            'training.wandb=true needs wandb: pip install -c constraints.txt -e ".[wandb]"'
        ) from None
    return wandb.init(project="manigym", name=folder.name, config=dict(config), dir=str(folder))
