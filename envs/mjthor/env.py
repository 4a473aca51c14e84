"""MJThor's environment: one robot in one house per episode."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import mujoco
import numpy as np

from envs.base import Expert
from envs.mjthor.choice import Choice
from envs.mjthor.expert.script import ScriptedExpert
from envs.mjthor.goals import GOALS, NEAR, SPOC_NEAR
from envs.mjthor.house.facts import House
from envs.mjthor.house.free_space import FreeSpace
from envs.mjthor.house.layout import WALL_HEIGHT
from envs.mjthor.house.model import add_house, empty_spec
from envs.mjthor.robot import robot_spec
from envs.mjthor.route import Route
from envs.mjthor.trace import Trace
from envs.mjthor.world import World
from envs.mujoco_env import MujocoEnv
from envs.schema import ManigymError, SimulationError, TaskCard

_SUBSTEPS = 25  # of 4 ms: 10 Hz
_SETTLE = 50  # physics steps before an episode
_BEYOND = 0.2  # metres around the house that still belong to it
_ARM_LENGTH = 0.75  # metres from the base to what the arm takes
# Metres from the base within which a task that is mostly driving can end, by task and SPOC's rule.
_WITHIN = {
    ("nav_to_object", False): NEAR,
    ("nav_to_object", True): SPOC_NEAR,
    ("fetch", False): _ARM_LENGTH,
    ("fetch", True): _ARM_LENGTH,
}


class MJThorEnv(MujocoEnv):
    """One task. Options beside those of every environment:

    ``houses``: "train", "val" or "test"; by default the split that the seed belongs to, so that
    demonstrations, validation and test never share a house. ``house``: always this index of the
    split, instead of one drawn by the seed.
    """

    base_body = "base"

    def __init__(
        self,
        card: TaskCard,
        *,
        houses: str | None = None,
        house: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(card, **options)
        self._choice = Choice.of(houses, house)
        self.delta_arm = self.protocol.name == "delta"
        self._spoc = self.protocol.name == "spoc"
        self._loaded: House | None = None

    @property
    def chosen(self) -> dict[str, Any]:
        return super().chosen | {"houses": self._choice.houses, "house": self._choice.house}

    # ------------------------------------------------------------------ start states
    def _reset(self, seed: int) -> None:
        self.house, self.episode = self._choice.draw(self.card.task, seed)
        self._load(self.house)
        self._begin()
        self._step(_SETTLE)

    def _load(self, house: House) -> None:
        """Compile a house, unless it is the one that is loaded."""
        if self._loaded == house:
            mujoco.mj_resetData(self.model, self.data)
            return
        spec = empty_spec()
        spec.attach(robot_spec(), prefix="", suffix="", frame=spec.worldbody.add_frame())
        add_house(spec, house)
        self.model = spec.compile()
        self.data = mujoco.MjData(self.model)
        self._loaded = house

    def _begin(self) -> None:
        """The start state: doors as the episode has them, the robot where it starts."""
        self.world = World(self.house, self.model, self.data)
        for name, share in self.episode.doors.items():
            self.data.joint(name).qpos[0] = share * self.world.doors[name].open_angle
        self.world.robot.place(self.episode.start, self.episode.head, self.episode.arm)
        self.goal = GOALS[self.card.task](self.world, self.episode, self._spoc)
        self._last_action = np.zeros(self.card.action.size)
        self._trace = Trace(self.world)
        self.space = FreeSpace(self.house, self.episode.doors)
        self._route = Route(self.space)
        self.actions_taken = 0

    # ------------------------------------------------------------------- one step
    def _advance(self, native: np.ndarray) -> float:
        self.world.robot.command(native, self.delta_arm)
        self._step(_SUBSTEPS)
        self._last_action[:] = native
        self.actions_taken += 1
        self._trace.update()
        self._reached = self.goal.reached()
        return self.goal.reward(self._reached)

    def _step(self, count: int) -> None:
        """Physics steps; then poses and cameras, but not contacts, are those of the new state.

        MuJoCo starts over on its own where a state goes bad: an error of the episode here.
        """
        after = self.data.time + count * self.model.opt.timestep
        mujoco.mj_step(self.model, self.data, count)
        if abs(self.data.time - after) > self.model.opt.timestep / 2:
            raise SimulationError(f"{self.card.id}: MuJoCo's state went bad and it started over")
        mujoco.mj_kinematics(self.model, self.data)
        mujoco.mj_camlight(self.model, self.data)

    def _goal_reached(self) -> bool:
        return self._reached

    def measures(self) -> dict[str, float]:
        """Those of the trace; ``success_at_end`` and ``success_at_any_step``, whatever the rule;
        ``distance_left`` metres, the sub-goals (``subgoals`` their share), and on the way to a
        thing ``shortest_path`` (metres, geodesic) and ``spl``."""
        passed = {name: float(done) for name, done in self.goal.subgoals().items()}
        left = np.linalg.norm(self.goal.place()[:2] - self.world.robot.base_pose[:2])
        measured = {
            **self._trace.measures(),
            "success_at_end": float(self.goal_reached),
            "success_at_any_step": float(any(self._goals)),
            "distance_left": float(left),
            "subgoals": float(np.mean(list(passed.values()))),
            **{f"subgoal/{name}": done for name, done in passed.items()},
        }
        return measured | self._path_efficiency(measured["path_length"])

    def _path_efficiency(self, driven: float) -> dict[str, float]:
        """SPL (arXiv 1807.06757) against the shortest way to where the rule can hold."""
        radius = _WITHIN.get((self.card.task, self._spoc))
        if radius is None:
            return {}
        names = self.episode.instances or (self.episode.target,)
        ends = np.array([self.world.things[name].position[:2] for name in names])
        seen = bool(self.episode.instances)
        shortest = self._route.shortest(self.episode.start[:2], ends, radius, seen=seen)
        if not shortest:
            return {}
        spl = self.succeeded * shortest / max(driven, shortest)
        return {"shortest_path": shortest, "spl": float(spl)}

    def expert(self) -> Expert:
        return ScriptedExpert(self)

    # ------------------------------------------------------------------ observation
    def _sense(self, modality: str) -> np.ndarray:
        if modality == "proprio":
            return self._proprio().astype(np.float32)
        if modality == "state":
            return self._state().astype(np.float32)
        return self._point_cloud()

    def _proprio(self) -> np.ndarray:
        robot = self.world.robot
        measured = (robot.head, robot.arm, [robot.opening], robot.base_velocity)
        taken = self.card.action.from_physical(self._last_action) * bool(self.actions_taken)
        return np.concatenate([*measured, taken])

    def _state(self) -> np.ndarray:
        """The groups of the card, in order."""
        world, robot = self.world, self.world.robot
        place = self.goal.place()
        point, left = self._route.towards(robot.base_pose[:2], place)
        share = max((world.opened(name) for name in self.episode.openings), default=0.0)
        passed = list(self.goal.subgoals().values())
        return np.concatenate(
            [
                robot.base_pose,
                robot.relative(*robot.hand),
                *self._target(place),
                robot.in_frame(place),
                [*robot.in_frame(np.array([*point, 0.0]))[:2], left],
                [share, np.mean(passed)],
            ]
        )

    def _target(self, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pose (7,) in the robot's frame and size (3,) of what the episode is about."""
        name, robot = self.episode.target, self.world.robot
        if not name:
            return robot.relative(place, np.eye(3)), np.zeros(3)
        axes = self.data.body(name).xmat.reshape(3, 3)
        return robot.relative(self.world.middle(name), axes), np.array(self.world.things[name].size)

    @property
    def instruction(self) -> str:
        return self.episode.instruction

    @property
    def scene_name(self) -> str:
        """``train/house_7``, as in MolmoSpaces' folders."""
        return f"{self.house.split}/house_{self.house.index}"

    def sim_state(self) -> np.ndarray:
        """float64 (29,): time, the robot's positions (14) and velocities (14). The house, whose
        size differs, follows from the seed and these."""
        robot = self.data.qpos[:14], self.data.qvel[:14]
        return np.concatenate([[self.data.time], *robot])

    def _crop(self, cloud: np.ndarray) -> np.ndarray:
        """What is in the house: without a ceiling, the cameras also see the sky."""
        low = np.array((*self.house.low, -_BEYOND)) - (_BEYOND, _BEYOND, 0.0)
        high = np.array((*self.house.high, WALL_HEIGHT)) + _BEYOND
        return cloud[((cloud[:, :3] >= low) & (cloud[:, :3] <= high)).all(axis=1)]

    # ---------------------------------------------------------------- state as data
    def _task_arrays(self) -> list[np.ndarray]:
        return [self._last_action, self.goal.memory]

    def snapshot(self) -> dict[str, Any]:
        """With all of MuJoCo's data: which bodies sleep is in no state vector of its own."""
        return super().snapshot() | {
            "seed": self.seed_used,
            "scene": self.scene_name,
            "steps": self.actions_taken,
            "trace": self._trace.copy(),
            "data": copy.copy(self.data),
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        if not self._started or snapshot["seed"] != self.seed_used:
            self._reset(self._next_seed(snapshot["seed"]))
        if snapshot["scene"] != self.scene_name:
            raise ManigymError(
                f"the snapshot is of {snapshot['scene']}, but with these options its seed stands "
                f"for {self.scene_name}; restore it with the options it was made with"
            )
        super().restore(snapshot)
        mujoco.mj_copyData(self.data, self.model, snapshot["data"])
        self.actions_taken = snapshot["steps"]
        self._trace.restore(snapshot["trace"])
        self._reached = bool(self._goals) and self._goals[-1]
