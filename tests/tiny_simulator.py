"""A simulator of a few lines, its wheels, and an index that can be held up: for provisioning."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path

import pytest

import envs
from envs.cache import cache_folder
from envs.provision.environments import ensure, find
from envs.registry import Simulator
from envs.schema import ManigymError

PIN = "tinysim==1.0"
HAS_UV = bool(shutil.which("uv") or find_spec("uv"))
WITH_UV = pytest.param("uv", marks=pytest.mark.skipif(not HAS_UV, reason="pip install uv"))
BOTH = ("pip", WITH_UV)
_ENSURE = """
import sys
from pathlib import Path
from tiny_simulator import tiny
from envs.provision.environments import ensure
print(ensure(tiny(Path(sys.argv[1])), ask=False).folder)
"""


@dataclass(frozen=True)
class TinySimulator(Simulator):
    """Its requirements lie where the test wants them."""

    file: Path = Path()

    @property
    def requirements(self) -> Path:
        return self.file


def tiny(file: Path, **changes: object) -> TinySimulator:
    """The simulator whose requirements are in ``file``."""
    return TinySimulator("Tiny", "tiny.tasks", "tiny.env:TinyEnv", "tiny", file=file, **changes)


def write_wheel(
    folder: Path, name: str, version: str, code: str = "", requires: str = "", zeros: int = 0
) -> None:
    """A wheel with one module, and a file of ``zeros`` bytes (which the wheel compresses)."""
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    files = {
        f"{name}/__init__.py": code,
        f"{name}/zeros": "\0" * zeros,
        f"{info}/METADATA": metadata + (f"Requires-Dist: {requires}\n" if requires else ""),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in (*files, f"{info}/RECORD"))
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name_in_wheel, text in files.items():
            wheel.writestr(name_in_wheel, text)


def write_index(folder: Path) -> Path:
    """Stand-ins for what every environment holds, in the pinned versions, and ``tinysim``."""
    folder.mkdir()
    constraints = (Path(envs.__file__).parent / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in constraints if "==" in line and line[0] != "#")
    for name in ("numpy", "gymnasium"):
        write_wheel(folder, name, pins[name])
    write_wheel(folder, "tinysim", "1.0")
    return folder


def start(file: Path, inside: Sequence[str] = (), **variables: str) -> subprocess.Popen[str]:
    """Another process that sets up the simulator of ``file``, run by the command ``inside``."""
    path = f"{Path(__file__).parent}{os.pathsep}{Path(envs.__file__).parent.parent}"
    return subprocess.Popen(
        [*inside, sys.executable, "-c", _ENSURE, str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path, **variables},
        preexec_fn=_heed_signals,
    )


def _heed_signals() -> None:
    """A test run in the background of a script, or under nohup, inherits ignored ones."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class Gate:
    """Serves a folder over HTTP on this machine, but only once ``open`` is set."""

    def __init__(self, folder: Path):
        self.asked, self.open, self.served = threading.Event(), threading.Event(), []
        gate = self

        class Handler(SimpleHTTPRequestHandler):
            def do_GET(self) -> None:
                gate.asked.set()
                gate.open.wait(60)
                gate.served.append(self.path)
                super().do_GET()

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder))
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.open.set()
        self.server.shutdown()
        self.server.server_close()


def required(tmp_path, text, **changes):
    file = tmp_path / f"requirements-{sha256(text.encode()).hexdigest()[:8]}.txt"
    file.write_text(text)
    return tiny(file, **changes)


def folders():
    """What lies beside complete environments, too."""
    home = cache_folder() / "environments"
    return [path for path in home.iterdir() if path.is_dir()] if home.exists() else []


def refused(simulator, cause):
    """The message of a set-up that fails; nothing is left of it but the log that it names."""
    with pytest.raises(ManigymError) as caught:
        ensure(simulator)
    message = str(caught.value)
    assert cause in message
    assert Path(message.split("full log: ")[1]).read_text()
    assert folders() == []
    assert find(simulator) is None
    return message
