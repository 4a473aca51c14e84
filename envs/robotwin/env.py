"""RoboTwin 2.0's tasks: a bimanual robot at a table, in SAPIEN 3."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from envs.base import Expert
from envs.robotwin import language
from envs.robotwin.clutter import scatter
from envs.robotwin.control import TIMESTEP, Control
from envs.robotwin.expert import ScriptedExpert
from envs.robotwin.library import library
from envs.robotwin.motion import Hands
from envs.robotwin.robot import Robot
from envs.robotwin.stage import TABLE, Stage
from envs.robotwin.tasks import TASKS
from envs.robotwin.tasks.cards import PROTOCOLS, VARIANTS
from envs.robotwin.world import (
    CAMERAS,
    CROP_HIGH,
    CROP_LOW,
    Look,
    furnish,
    random_look,
)
from envs.sapien.cloud import Box
from envs.sapien.env import SapienEnv
from envs.sapien.scene import Scene
from envs.schema import ManigymError, SimulationError, TaskCard
from envs.task_env import one_of

# The streams of an episode, beside its layout.
_LOOK, _CLUTTER, _WORDS = 1, 2, 3
_ATTEMPTS = 20  # start states drawn from one seed before giving up
_SETTLE, _WATCH, _SAMPLES = 2000, 500, 200  # physics steps of upstream's stability check
_UNSTABLE = 3.0  # degrees


class RoboTwinEnv(SapienEnv):
    """One task. Options beside those of every environment:

    ``variant``: "clean", or "randomized" (table height, background, light, clutter); ``proprio``:
    "commanded", what the joints are driven to as upstream, or "measured"; ``instructions``: "seen"
    or "unseen" wording, by default that of the variant in upstream's benchmark; ``expert_checked``:
    only start states that the expert solves, as upstream's evaluation; ``asset_folder``: upstream's
    own ``assets`` folder, whose objects then replace the embedded ones.

    Reward is 1 when the goal held during the control step, else 0. Success is tested after every
    physics step; where it ends the episode, it ends the control step, too.
    """

    camera_specs = CAMERAS
    timestep = TIMESTEP

    def __init__(
        self,
        card: TaskCard,
        *,
        variant: str = "clean",
        proprio: str = "commanded",
        instructions: str | None = None,
        expert_checked: bool = False,
        asset_folder: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(card, **options)
        self.variant = one_of("RoboTwin", "variant", variant, tuple(VARIANTS))
        self.proprio = one_of("RoboTwin", "proprio", proprio, ("commanded", "measured"))
        split = VARIANTS[variant] if instructions is None else instructions
        self.split = one_of("RoboTwin", "instructions", split, ("seen", "unseen"))
        if not isinstance(expert_checked, bool):
            raise ManigymError(f"expert_checked is true or false, got {expert_checked!r}")
        if not isinstance(asset_folder, str | None):
            raise ManigymError(f"asset_folder is the path of a folder, got {asset_folder!r}")
        self.expert_checked, self.asset_folder = expert_checked, asset_folder
        self.control = Control(*PROTOCOLS[self.protocol.name])
        self._library = library(asset_folder)
        self._goal = False
        self._attempt, self._sentence = [0, 0], ""

    @property
    def chosen(self) -> dict[str, Any]:
        return super().chosen | {
            "variant": self.variant,
            "proprio": self.proprio,
            "instructions": self.split,
            "expert_checked": self.expert_checked,
            "asset_folder": self.asset_folder,
        }

    # ------------------------------------------------------------------ start states
    def _reset(self, seed: int) -> None:
        problem = ""
        for attempt in range(_ATTEMPTS):
            self._attempt = [seed, attempt]
            super()._reset(seed)
            problem = self._unstable() or self._trivial()
            if not problem and (not self.expert_checked or self._expert_solves(seed)):
                words = np.random.default_rng([seed, attempt, _WORDS])
                roles = self.task.roles
                self._sentence = language.instruction(self.card.task, roles, self.split, words)
                return
            problem = problem or "the expert did not solve it"
        raise SimulationError(
            f"{self.card.id}: none of {_ATTEMPTS} start states of seed {seed} is usable; the last: "
            f"{problem}"
        )

    def _build(self, scene: Scene, rng: np.random.Generator) -> None:
        del rng  # one stream per purpose instead: see _reset
        streams = [np.random.default_rng([*self._attempt, s]) for s in (0, _LOOK, _CLUTTER)]
        randomized = self.variant == "randomized"
        look = random_look(streams[1]) if randomized else Look()
        furnish(scene, look)
        self.robot = Robot(scene, self._library.robot)
        self.stage = Stage(scene, self.robot, self._library, streams[0], look.lowered)
        self.task = TASKS[self.card.task](self.stage)
        self.hands = Hands(self.robot, TABLE - look.lowered)
        if randomized:
            scatter(self.stage, streams[2])
        self._goal = False

    def _unstable(self) -> str:
        """Let the scene settle as upstream does; the name of what still turns, or nothing."""
        for _ in range(_SETTLE + _WATCH - _SAMPLES):
            self.scene.step()
        bodies = [body for body in self.scene.bodies if body.motion == "dynamic"]
        bodies += [t.links[next(iter(t.links))] for t in self.stage.things.values() if t.hinge]
        turned = []
        for _ in range(_SAMPLES):
            self.scene.step()
            turned.append([body.pose.quaternion for body in bodies])
        if not bodies:
            return ""
        samples = np.array(turned)
        dots = np.abs((samples * samples[-1]).sum(axis=2)).clip(max=1.0)
        degrees = np.degrees(2 * np.arccos(dots)).max(axis=0)
        moving = [b.name for b, d in zip(bodies, degrees, strict=True) if d > _UNSTABLE]
        return f"unstable: {', '.join(moving)}" if moving else ""

    def _trivial(self) -> str:
        """Upstream's rules hold at the start of some episodes, where there is nothing to do."""
        return "the goal holds already" if self.task.success() else ""

    def _expert_solves(self, seed: int) -> bool:
        """Play the expert to its end, at the fixed rate whatever the protocol, so that every
        protocol has the same start states; then put the start state back."""
        solved = self._plays_through()
        super()._reset(seed)
        self._unstable()
        return solved

    def _plays_through(self) -> bool:
        rate = Control("rate", end_effector=False)
        for targets in islice(ScriptedExpert(self).targets(), self.task.limit):
            for _ in rate.commands(self.robot, targets):
                self.scene.step()
                if self.task.success():
                    return True
        return False

    # ------------------------------------------------------------------- one step
    @property
    def actions_taken(self) -> int:
        """Control steps of this episode so far."""
        return len(self._actions)

    def _drive(self, native: np.ndarray) -> Iterator[None]:
        self._goal = False
        return self.control.commands(self.robot, native)

    def _done_early(self) -> bool:
        self._goal = self._goal or self.task.success()
        return self._goal and self.ends_on_success

    def _reward(self) -> float:
        return float(self._goal)

    def _goal_reached(self) -> bool:
        return self._goal

    def expert(self) -> Expert:
        return ScriptedExpert(self)

    # ------------------------------------------------------------------ observation
    def _sense(self, modality: str) -> np.ndarray:
        if modality == "proprio":
            measured = self.proprio == "measured"
            vector = self.robot.measured if measured else self.robot.commanded
            return vector.astype(np.float32)
        if modality == "state":
            return np.concatenate([self.robot.end_poses, self.task.state()]).astype(np.float32)
        return self._point_cloud()

    @property
    def instruction(self) -> str:
        return self._sentence

    def _cloud_cameras(self) -> tuple[Sequence[str], tuple[int, int]]:
        """The head camera at upstream's size, whatever pictures were asked for."""
        return ("head_camera",), self.card.image_size

    def _workspace(self) -> Box:
        return Box(np.array(CROP_LOW) - (0.0, 0.0, self.stage.lowered), CROP_HIGH)
