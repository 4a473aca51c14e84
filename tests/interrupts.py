"""Ctrl-C at a chosen moment."""

from __future__ import annotations

import signal
import threading

from faulty import eventually


class ctrl_c:
    """Press it as soon as a file exists."""

    def __init__(self, sign):
        self._thread = threading.Thread(target=self._press, args=(sign,))

    def _press(self, sign):
        eventually(sign.exists)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    def __enter__(self):
        self._former = signal.signal(signal.SIGINT, signal.default_int_handler)
        self._thread.start()

    def __exit__(self, *exc):
        self._thread.join()
        signal.signal(signal.SIGINT, self._former)
