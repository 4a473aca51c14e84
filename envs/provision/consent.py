"""May an environment be set up? Asked once where somebody can answer."""

from __future__ import annotations

import os
import sys

from envs.schema import ManigymError
from envs.terminal import interactive

VARIABLE = "MANIGYM_SETUP"
_VALUES = ("ask", "always", "never")


def obtain(question: str, command: str, ask: bool | None) -> None:
    """Return if the set-up may begin, else raise with the ``command`` that does it.

    ``ask``: True asks, False does not (the user gave the command); None asks on a terminal, unless
    ``MANIGYM_SETUP`` is ``always`` or ``never``, and goes on where nobody can answer.
    """
    if ask is None:
        setting = os.environ.get(VARIABLE, "ask")
        if setting not in _VALUES:
            raise ManigymError(f"{VARIABLE}={setting}: expected one of {', '.join(_VALUES)}")
        if setting == "never":
            raise ManigymError(f"{question}\n  {VARIABLE}=never, so do it yourself: {command}")
        ask = setting == "ask" and interactive(sys.stdin) and interactive(sys.stderr)
    if ask and not _yes(f"{question} Set it up now? [Y/n] "):
        raise ManigymError(f"not set up. When you want it: {command}")


def _yes(question: str) -> bool:
    print(question, end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline()
    return answer.lower() in ("\n", "y\n", "yes\n")  # empty: the end of the input
