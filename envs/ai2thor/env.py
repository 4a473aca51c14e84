"""AI2THOR's environments: an episode is a room, a kind of object in it and a start position."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from envs.ai2thor.launch import SPOC_COMMIT, Build, open_controller
from envs.ai2thor.scenes import candidates, draw_room, spoken
from envs.ai2thor.stretch import CUT, RENDERED, Stretch, xyz
from envs.ai2thor.tasks import LABELS, SEEN_WITHIN
from envs.base import ManipEnv
from envs.schema import SimulationError, TaskCard

STEP_PENALTY, SUCCESS_REWARD = -0.01, 10.0
STARTS = 20  # positions that are tried
TURN = 30  # degrees; starts face a multiple of it
FILM = (256, 438)  # the cameras' shape, 256 pixels high


class AI2ThorEnv(ManipEnv):
    """A task of SPOC's Stretch robot in an iTHOR room.

    Starts the Unity program, whose options are those of :class:`envs.ai2thor.launch.Build`.
    Reward: -0.01 per action, the metres by which the base came nearer to the target than it ever
    was, and 10 for success (SPOC; it shapes Fetch by the hand's distance instead).
    A snapshot is the seed and the actions; AI2-THOR keeps no state that could be written back.
    """

    def __init__(
        self,
        card: TaskCard,
        *,
        commit_id: str = SPOC_COMMIT,
        platform: str = "CloudRendering",
        local_executable_path: str | None = None,
        server_timeout: float = 100.0,
        **options: Any,
    ) -> None:
        super().__init__(card, **options)
        self.build = Build(commit_id, platform, local_executable_path, server_timeout)
        self._stretch = self._start_simulator()
        self._scene = self._target = ""
        self._targets: list[str] = []  # every instance counts
        self._names: tuple[str, ...] = ()
        self._actions: list[str] = []
        self._nearest = math.inf
        self._ended_well: bool | None = None  # None until the action `end`

    # ------------------------------------------------------------------ episode
    def _start_simulator(self) -> Stretch:
        height, width = self.image_size
        drawn = round(width * RENDERED / (RENDERED - 2 * CUT))
        wanted = [kind in self.modalities for kind in ("depth", "segmentation")]
        return Stretch(open_controller(self.build, height, drawn, *wanted))

    def _reset(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        if not self._stretch.alive:  # it crashed in the episode before
            self._stretch = self._start_simulator()
        robot, (kind, self._scene) = self._stretch, draw_room(seed, rng)
        robot.load(self._scene, rng)
        kinds = candidates(self.card.task, kind, robot.objects)
        self._target = kinds[rng.integers(len(kinds))]
        self._names = tuple(sorted(thing["objectId"] for thing in robot.objects))
        self._targets = [t["objectId"] for t in robot.objects if t["objectType"] == self._target]
        self._ended_well = None
        self._actions.clear()
        self._find_start(robot, rng)
        self._nearest = self._distance()

    def _find_start(self, robot: Stretch, rng: np.random.Generator) -> None:
        """Stand somewhere from where no target is seen nearby."""
        positions = robot.reachable()
        for index in rng.permutation(len(positions))[:STARTS]:
            yaw = float(TURN * rng.integers(360 // TURN))
            if robot.place(positions[index], yaw) and not self._visible():
                return
        raise SimulationError(
            f"{self.card.id}: {self._scene} has no start from which no {self._target} is seen, "
            f"{min(STARTS, len(positions))} positions tried"
        )

    def _advance(self, native: np.ndarray) -> float:
        label = LABELS[int(np.argmax(native))]
        self._actions.append(label)
        if label == "end":
            self._ended_well = self._goal_holds()
            return STEP_PENALTY + SUCCESS_REWARD * self._ended_well
        self._stretch.act(label)  # `sub_done` means something in RoomVisit only
        before, now = self._nearest, self._distance()
        self._nearest = min(before, now)
        return STEP_PENALTY + before - self._nearest

    def _goal_holds(self) -> bool:
        return self._visible() if self.card.task == "object_nav" else self._target_held()

    def _goal_reached(self) -> bool:
        return bool(self._ended_well)

    def _over(self) -> bool:
        return self._ended_well is not None

    def _visible(self) -> bool:
        names = [thing["objectId"] for thing in self._instances()]
        return bool(names and self._stretch.seen(names, SEEN_WITHIN))

    def _target_held(self) -> bool:
        return any(name in self._targets for name in self._stretch.held())

    def _instances(self) -> list[dict[str, Any]]:
        """Metadata of the targets that are there; a thing that breaks may be gone."""
        return [t for t in self._stretch.objects if t["objectId"] in self._targets]

    def _distance(self) -> float:
        """Metres from the agent to the centre of the nearest instance's bounding box; infinite
        where none is left."""
        base = self._stretch.location()[:3]
        centres = [xyz(t["axisAlignedBoundingBox"]["center"]) for t in self._instances()]
        return min((math.dist(base, centre) for centre in centres), default=math.inf)

    @property
    def scene_name(self) -> str:
        """``FloorPlan7``."""
        return self._scene

    @property
    def instruction(self) -> str:
        return super().instruction.format(target=spoken(self._target))

    # ------------------------------------------------------------------ observation
    def _sense(self, modality: str) -> np.ndarray:
        robot = self._stretch
        if modality == "proprio":
            values = [*robot.location(), *robot.arm(), float(bool(robot.held()))]
        else:
            distance = self._distance()
            known = distance if math.isfinite(distance) else -1.0
            values = [known, float(self._visible()), float(self._target_held())]
        return np.array(values, np.float32)

    def _picture(self, kind: str, camera: str, size: tuple[int, int]) -> np.ndarray:
        robot = self._stretch
        if kind == "rgb":
            picture = robot.rgb(camera)
        elif kind == "depth":
            picture = robot.depth(camera).astype(np.float32)
        else:
            picture = np.full(robot.rgb(camera).shape[:2], -1, np.int32)
            for name, mask in robot.masks(camera).items():
                if name in self._names:
                    picture[mask] = self._names.index(name)
        return _sized(picture, size)

    def render(self) -> Any:
        """uint8 (256, 438, 3) picture of the first chosen camera."""
        self.require_episode()
        return self._picture("rgb", self.film_camera, FILM)

    def render_device(self) -> str:
        return f"Unity ({self.build.platform})"

    def object_names(self) -> tuple[str, ...]:
        return self._names

    # ------------------------------------------------------------------ state as data
    def sim_state(self) -> np.ndarray:
        """float64 (14,): base pose, camera pitch, arm, whether anything and whether the target is
        held, whether the episode is over. The things, of which rooms hold different numbers, follow
        from the seed and the actions."""
        agent = self._stretch.event.metadata["agent"]
        flags = bool(self._stretch.held()), self._target_held(), self._over()
        pose = [*self._stretch.location(), agent["cameraHorizon"], *self._stretch.arm()]
        return np.array([*pose, *flags], np.float64)

    def _physics(self) -> np.ndarray:
        """float64 (14 + 6 N,): ``sim_state``, position and Euler angles of every object."""
        things = sorted(self._stretch.objects, key=lambda thing: thing["objectId"])
        poses = [v for t in things for v in (*xyz(t["position"]), *xyz(t["rotation"]))]
        return np.concatenate([self.sim_state(), poses])

    def _set_physics(self, state: np.ndarray) -> None:
        """Check that the state was reached: Unity's physics cannot be written."""
        if self._physics().tobytes() != state.tobytes():
            raise SimulationError(
                f"{self.card.id}: AI2-THOR has no snapshots; the episode was lived again with the "
                "same actions and led to another state. Was the snapshot taken with other options, "
                "another build or on another machine?"
            )

    def snapshot(self) -> dict[str, Any]:
        """What is needed to live this episode again: its seed and its actions."""
        return super().snapshot() | {"seed": self.seed_used, "actions": list(self._actions)}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Repeat the episode up to the snapshot; takes as long as its actions took."""
        self.seed_used = snapshot["seed"]
        self._reset(self.seed_used)
        for label in snapshot["actions"]:
            self._advance(np.array([name == label for name in LABELS], np.float32))
        super().restore(snapshot)

    def close(self) -> None:
        if self._stretch.alive:
            self._stretch.stop()


def _sized(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A new array of this height and width: the nearest pixels, no colours that were not there."""
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(int)
        for new, old in zip(size, picture.shape[:2], strict=True)
    )
    return picture[rows[:, None], columns]
