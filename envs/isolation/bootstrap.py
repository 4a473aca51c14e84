"""First lines of a worker: ``python bootstrap.py ROOT LIFELINE CONNECTION ...``.

The interpreter may be another simulator's, without Manigym installed. Of ROOT, where this copy of
Manigym lies, only ``assets`` and ``envs`` become importable: with ROOT itself on ``sys.path``, an
installed Manigym would bring its neighbours in ``site-packages`` (another numpy) with it.
"""

import importlib.util
import sys
from pathlib import Path


def expose(root: Path, name: str) -> None:
    """Import the package ``root/name`` under its name, whatever ``sys.path`` holds."""
    folder = root / name
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None and spec.loader is not None
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


if __name__ == "__main__":
    for package in ("assets", "envs"):
        expose(Path(sys.argv[1]), package)
    from envs.isolation.worker import main

    main(*map(int, sys.argv[2:]))
