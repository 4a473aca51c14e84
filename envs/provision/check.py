"""Run inside a new environment: does it hold what it should? Prints JSON.

    python -I check.py DISTRIBUTION VERSION

Standard library only: this interpreter does not see the rest of Manigym.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from importlib import import_module
from importlib.metadata import distributions, packages_distributions
from importlib.util import find_spec

# Cannot be imported everywhere: SAPIEN 2 needs libvulkan.so.1, which is not a Python package.
FIND_ONLY = ("sapien",)


def examine(distribution: str, version: str) -> dict[str, object]:
    """``versions`` of everything installed, ``problem`` (empty if there is none)."""
    versions = {str(d.metadata["Name"]).lower(): d.version for d in distributions()}
    found = versions.get(distribution.lower())
    if found != version:
        problem = f"{distribution} is {found or 'not installed'}, expected {version}"
    elif "torch" in versions:
        problem = "torch is installed; a simulator's environment does without"
    else:
        problem = _imports(distribution)
    return {"problem": problem, "versions": {"python": platform.python_version(), **versions}}


def _imports(distribution: str) -> str:
    own = [
        module
        for module, owners in packages_distributions().items()
        if distribution.lower() in [owner.lower() for owner in owners]
    ]
    for module in ("numpy", "gymnasium", *own):
        if not module.isidentifier():
            continue
        try:
            found = find_spec(module) if module in FIND_ONLY else import_module(module)
        except Exception as error:  # whatever a foreign package raises while it is imported
            return f"import {module}: {type(error).__name__}: {error}"
        if found is None:
            return f"import {module}: not found"
    return ""


if __name__ == "__main__":
    answer = sys.stdout.fileno()
    saved = os.dup(answer)
    os.dup2(sys.stderr.fileno(), answer)  # packages may print while they are imported
    result = json.dumps(examine(sys.argv[1], sys.argv[2]))
    os.write(saved, result.encode())
