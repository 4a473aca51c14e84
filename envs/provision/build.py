"""Make one virtual environment: all of it, or nothing that could be taken for it."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from envs.provision import check
from envs.provision.installers import base_python, choose, python_of, variables
from envs.provision.problems import failed
from envs.provision.process import Show, run, started
from envs.registry import Simulator, pinned
from envs.schema import ManigymError

READY = "ready.json"
PARTIAL = ".partial-"


def build(
    simulator: Simulator, requirements: Path, constraints: Path, folder: Path, log: Path, show: Show
) -> None:
    """Make the environment beside ``folder`` and give it that name when it is complete.

    A process that is killed leaves a folder of another name, which the next one sweeps. Renaming
    is allowed as long as nobody uses the scripts in ``bin``, which know the old name; they are
    removed.
    """
    sweep(folder)
    log.unlink(missing_ok=True)
    start = time.monotonic()
    installer = choose()
    base = base_python(simulator, installer)
    partial = Path(tempfile.mkdtemp(prefix=folder.name + PARTIAL, dir=folder.parent))
    partial.chmod(0o755)  # as any other folder: a cache may be shared
    try:
        for command in installer.commands(partial, base, requirements, constraints):
            if not run(command, log, show):
                raise failed(f"{simulator.name}'s environment could not be set up", log)
        show("checking")
        versions = _check(simulator, partial, log)
        for script in (partial / "bin").iterdir():
            if not script.name.startswith("python"):
                script.unlink()
        record = {
            "installer": installer.name,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(time.monotonic() - start, 1),
            "megabytes": megabytes(partial),
            "versions": versions,
        }
        (partial / READY).write_text(json.dumps(record, indent=1))
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
        show(f"ready, {record['megabytes']} MB")
    finally:
        sweep(folder)


def sweep(folder: Path) -> None:
    """Delete what set-ups that were cut short have left beside ``folder``."""
    for partial in folder.parent.glob(f"{folder.name}{PARTIAL}*"):
        shutil.rmtree(partial, ignore_errors=True)


def _check(simulator: Simulator, folder: Path, log: Path) -> dict[str, str]:
    """Versions of what the environment holds; raises if it does not hold what it should."""
    pin = pinned(simulator)
    assert pin is not None
    command = [str(python_of(folder)), "-I", check.__file__, *pin]
    settings = {**variables(), "MUJOCO_GL": "disable"}
    with log.open("ab") as errors:
        options = {"stdout": subprocess.PIPE, "stderr": errors, "cwd": folder, "env": settings}
        with started(command, **options) as process:
            said, _ = process.communicate()
    if process.returncode:
        raise failed(f"{simulator.name}'s new environment does not run", log)
    answer = json.loads(said)
    if answer["problem"]:
        raise ManigymError(
            f"{simulator.name}'s new environment is not usable: {answer['problem']}\n"
            f"  full log: {log}"
        )
    return answer["versions"]


def megabytes(folder: Path) -> int:
    """Size of the files below a folder, in units of 10^6 bytes."""
    files = (path.lstat() for path in folder.rglob("*") if not path.is_dir())
    return round(sum(entry.st_size for entry in files) / 1e6)
