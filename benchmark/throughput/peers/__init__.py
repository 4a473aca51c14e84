"""Other ways of doing the same work, measured beside ours where their packages are installed.

A peer is one file here and one entry of :data:`PEERS`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from benchmark.throughput.contest import Contender
from envs.schema import ManigymError

HERE = __name__


@dataclass(frozen=True)
class Peer:
    """``measures``: what it takes part in (``steps``, ``episodes``, ``loader``) and
    ``"file:function"`` of this folder, called with the job and the variant (what stands behind the
    colon in ``async:upstream``, else empty), which gives a :class:`Contender`.

    ``package`` must be importable; ``install`` says how to get it.
    """

    about: str
    measures: Mapping[str, str]
    package: str
    install: str = ""

    @property
    def installed(self) -> bool:
        """Whether it can take part here."""
        return find_spec(self.package) is not None


# Those of environments take ``:upstream`` (ours, with the pictures the simulator draws by default)
# and ``:bare`` (the simulator's own environment) behind their names.
PEERS: Mapping[str, Peer] = {
    "sync": Peer(
        "gymnasium SyncVectorEnv: all in this process; copy=False",
        {
            "steps": "gymnasium_vector:sync_steps",
            "episodes": "gymnasium_vector:sync_episodes",
        },
        "gymnasium",
    ),
    "async": Peer(
        "gymnasium AsyncVectorEnv, a message per step; shared memory, copy=False, spawn",
        {
            "steps": "gymnasium_vector:async_steps",
            "episodes": "gymnasium_vector:async_episodes",
        },
        "gymnasium",
    ),
    "runner": Peer(
        "runner of Diffusion Policy and ManiFlow: AsyncVectorEnv over a multi-step wrapper, a "
        "message per chunk, every step observed; shared memory, copy=False, spawn",
        {"episodes": "gymnasium_vector:runner_episodes"},
        "gymnasium",
    ),
    "sb3": Peer(
        "Stable-Baselines3 SubprocVecEnv, a message per step; spawn",
        {"steps": "sb3:subproc_steps", "episodes": "sb3:subproc_episodes"},
        "stable_baselines3",
        "pip install stable-baselines3",
    ),
    "vla-eval": Peer(
        "vla-eval's runner and websocket server, a message per step; raw arrays, a shard per "
        "environment",
        {"episodes": "vla_eval:episodes"},
        "vla_eval",
        "pip install vla-eval==0.8.0",
    ),
    "recomputing": Peer(
        "ManiFlow as its authors' code calls it: a full forward pass for every step",
        {"policy": "recomputing:calls"},
        "torch",
    ),
    "robomimic": Peer(
        "robomimic's SequenceDataset behind a DataLoader; :all is cached (default), :low_dim or "
        ":none",
        {"loader": "robomimic_data:sequences"},
        "robomimic",
        "pip install --no-deps robomimic==0.3.0 termcolor",
    ),
    "zarr": Peer(
        "the float32 zarr layout of Diffusion Policy's guides behind a DataLoader; :ram (default, "
        "copied) or :disk",
        {"loader": "zarr_data:sequences"},
        "zarr",
        "pip install 'zarr<3' 'numcodecs<0.16'",
    ),
    "lerobot": Peer(
        "LeRobotDataset behind a DataLoader; :image (default, PNG) or :video",
        {"loader": "lerobot_data:sequences"},
        "lerobot",
        "pip install lerobot==0.4.4, in an environment of its own (it wants an older torch)",
    ),
}


def check(names: Sequence[str], measures: Sequence[str]) -> None:
    """Raise for peers that do not exist, are not installed, or take part in no measure."""
    for name in names:
        peer = PEERS.get(name.partition(":")[0])
        if peer is None:
            raise ManigymError(f"--against {name}: no such peer; there are {', '.join(PEERS)}")
        if not {*peer.measures} & {*measures}:
            raise ManigymError(
                f"--against {name}: it takes part in {', '.join(peer.measures)}, not in "
                f"{', '.join(measures)}"
            )
        if not peer.installed:
            raise ManigymError(f"--against {name} needs {peer.package}: {peer.install}")


def peers_of(measure: str, names: Sequence[str], job: Any) -> list[Contender]:
    """The contenders of those that take part in a measure."""
    found = []
    for name in names:
        name, _, variant = name.partition(":")
        if place := PEERS[name].measures.get(measure):
            module, _, function = place.partition(":")
            found.append(getattr(import_module(f"{HERE}.{module}"), function)(job, variant))
    return found
