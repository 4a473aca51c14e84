"""What the numbers of MolmoSpaces' files mean: closed forms, 12 numbers to 13, held groups."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mjthor_files import CARD, DELTA, DOORS, OWN, foreign_file, foreign_rows

from benchmark.data.mjthor_import import import_
from benchmark.data.mjthor_modes import CHOICES, convert, modes_of, wrap
from envs.schema import ManigymError


def test_a_step_to_the_north_is_a_step_to_the_left_of_who_looks_east() -> None:
    pose = np.array([[1.0, 2.0, 0.0], [1.0, 2.0, np.pi / 2], [1.0, 2.0, np.pi]])
    north = pose + np.array([0.0, 0.04, 0.0])
    expected = np.array([[0.0, 0.04, 0.0], [0.04, 0.0, 0.0], [0.0, -0.04, 0.0]])
    for values, mode in ((north, "world_absolute"), (north - pose, "world_delta")):
        got = convert(values, pose, mode, "robot_delta")
        np.testing.assert_allclose(got, expected, atol=1e-12)
        np.testing.assert_allclose(convert(got, pose, "robot_delta", mode), values, atol=1e-12)


def test_yaw_takes_the_short_way() -> None:
    pose, target = np.array([[0.0, 0.0, 3.1]]), np.array([[0.0, 0.0, -3.1]])
    turn = convert(target, pose, "world_absolute", "robot_delta")
    np.testing.assert_allclose(turn[0, 2], 2 * np.pi - 6.2, atol=1e-12)
    np.testing.assert_allclose(convert(turn, pose, "robot_delta", "world_absolute"), target)
    np.testing.assert_allclose(wrap(np.array([np.pi, -np.pi, 3 * np.pi])), np.pi)


@pytest.mark.parametrize("mode", list(CHOICES))
def test_every_mode_and_back(mode: str) -> None:
    rng = np.random.default_rng(0)
    names, size = CHOICES[mode], 1 if mode == "gripper_opening" else 3
    values = rng.integers(0, 2, (50, size)).astype(float) if size == 1 else rng.normal(size=(50, 3))
    measured = rng.uniform(-3, 3, (50, size))
    for there in names:
        for back in names:
            start = convert(values, measured, names[0], there)
            got = convert(convert(start, measured, there, back), measured, back, names[0])
            np.testing.assert_allclose(np.cos(got), np.cos(values), atol=1e-9)


def test_gripper_units() -> None:
    force, nothing = np.array([[-100.0], [100.0], [0.0]]), np.zeros((3, 1))
    opening = convert(force, nothing, "force", "opening")
    np.testing.assert_array_equal(opening, [[1.0], [0.0], [0.0]])
    metres = np.array([[-0.05], [0.0], [-0.02]])
    opening = convert(metres, nothing, "metres", "opening")
    np.testing.assert_allclose(opening, [[1.0], [0.0], [0.4]])


def test_modes_that_are_missing_or_strange() -> None:
    assert modes_of(CARD.action, {}, OWN) == OWN
    with pytest.raises(ManigymError, match="'base' mean: the file does not say; pass --modes base"):
        modes_of(CARD.action, {}, {})
    with pytest.raises(ManigymError, match=r"got .metres.; pass --modes head=absolute\|delta"):
        modes_of(CARD.action, {"head": "metres"}, OWN)
    with pytest.raises(ManigymError, match=r"modes of \['torso'\]: the action has base, head"):
        modes_of(CARD.action, {"torso": "absolute"}, OWN)


def physical(tmp_path: Path, rows: dict[str, Any], **options: Any) -> np.ndarray:
    """The 13 numbers of each step of one foreign trajectory."""
    foreign_file(tmp_path / "data" / "house_3", rows, cameras=())
    task = options.pop("task", CARD)
    options = {"modes": DOORS, "keys": ["proprio"], **options}
    store = import_(tmp_path / "data", tmp_path / "store", task=task, **options)
    return task.action.to_physical(store.episode(0)["action"])


def test_twelve_numbers_become_thirteen(tmp_path: Path) -> None:
    rows = foreign_rows(10)
    assert all("head" not in row for row in rows["commanded_action"])
    got = physical(tmp_path, rows)
    assert got.shape == (10, 13)
    np.testing.assert_allclose(got[:, 3:5], [[0.1, 0.5]] * 10, atol=1e-6)  # where it is measured
    np.testing.assert_allclose(got[:, 12], [1.0] * 5 + [0.0] * 5)  # the first finger's force
    arm = [row["right_arm"] for row in rows["commanded_action"][1:-1]]
    np.testing.assert_allclose(got[:, 5:12], arm, atol=1e-6)


def test_a_head_that_is_not_even_measured_is_at_rest(tmp_path: Path) -> None:
    rows = foreign_rows(10)
    rows["qpos"] = [{k: v for k, v in row.items() if k != "head"} for row in rows["qpos"]]
    got = physical(tmp_path, rows)
    np.testing.assert_allclose(got[:, 3:5], [[0.0, 0.6]] * 10, atol=1e-6)


def test_a_joint_beyond_its_limit_stays_inside_it(tmp_path: Path) -> None:
    rows = foreign_rows(10)
    for row in rows["qpos"]:
        row["head"], row["right_gripper"] = [0.5231, 0.6], [-0.0501, 0.0501]
    del rows["commanded_action"][1]["right_gripper"]
    got = physical(tmp_path, rows)
    np.testing.assert_allclose(got[:, 3], 0.523, atol=1e-6)
    assert got[0, 12] == 1.0


def test_the_base_in_the_axes_of_the_world(tmp_path: Path) -> None:
    rows = foreign_rows(10)
    for action, state in zip(rows["commanded_action"][1:-1], rows["qpos"], strict=False):
        action["base"] = (np.array(action["base"]) - state["base"]).tolist()
    got = physical(tmp_path, rows, modes={**DOORS, "base": "world_delta"})
    yaw = np.array([row["base"][2] for row in rows["qpos"][:10]])
    world = np.array([row["base"][:2] for row in rows["commanded_action"][1:-1]])
    length = np.linalg.norm(world, axis=1)
    np.testing.assert_allclose(np.linalg.norm(got[:, :2], axis=1), length, atol=1e-6)
    direction = np.arctan2(got[:, 1], got[:, 0]) + yaw
    np.testing.assert_allclose(
        np.cos(direction - np.arctan2(world[:, 1], world[:, 0])), 1.0, atol=1e-5
    )


def test_groups_left_out_are_held(tmp_path: Path) -> None:
    rows = foreign_rows(10)
    start, before = rows["qpos"][0]["right_arm"], rows["commanded_action"][4]["right_arm"]
    del rows["commanded_action"][1]["right_arm"]  # before the first: the measured joints
    del rows["commanded_action"][5]["right_arm"]  # later: the last target
    del rows["commanded_action"][6]["base"]
    rows["commanded_action"][7] = {}  # everything
    before_7 = rows["commanded_action"][6]["right_arm"]
    base_7 = rows["commanded_action"][5]["base"]
    got = physical(tmp_path, rows)
    np.testing.assert_allclose(got[0, 5:12], start, atol=1e-6)
    np.testing.assert_allclose(got[4, 5:12], before, atol=1e-6)
    np.testing.assert_allclose(got[6, 5:12], before_7, atol=1e-6)
    expected = np.array(base_7) - rows["qpos"][6]["base"]  # world_absolute: the last pose again
    np.testing.assert_allclose(np.linalg.norm(got[6, :2]), np.linalg.norm(expected[:2]), atol=1e-6)


def test_a_task_of_arm_deltas(tmp_path: Path) -> None:
    rows = foreign_rows(10)
    got = physical(tmp_path, rows, task=DELTA)
    now = np.array([row["right_arm"] for row in rows["qpos"][:10]])
    told = np.array([row["right_arm"] for row in rows["commanded_action"][1:-1]])
    np.testing.assert_allclose(got[:, 5:12], told - now, atol=1e-6)


def test_what_the_task_cannot_express_is_refused_or_cut(tmp_path: Path) -> None:
    rows = foreign_rows(10)
    rows["commanded_action"][3]["base"][2] += 0.5
    message = (
        r"the action of state 2 has base dyaw = 0\.\d+, the task's actions reach from -0.1 to 0.1"
    )
    with pytest.raises(ManigymError, match=message):
        physical(tmp_path, rows)
    assert not (tmp_path / "store").exists()
    said: list[str] = []
    store = import_(
        tmp_path / "data",
        tmp_path / "store",
        task=CARD,
        modes=DOORS,
        keys=["proprio"],
        outside="clip",
        say=said.append,
    )
    assert store.episode(0)["action"][2, 2] == 1.0
    assert "1 numbers were outside the task's actions, and cut" in said[0]


def test_not_a_number_is_not_taken_for_held(tmp_path: Path) -> None:
    rows = foreign_rows(10)
    rows["commanded_action"][4]["base"][1] = float("nan")
    with pytest.raises(ManigymError, match=r"action, 'base', step 3: nan"):
        physical(tmp_path, rows)


def test_wrong_sizes_are_named(tmp_path: Path) -> None:
    rows = foreign_rows(10)
    rows["commanded_action"][4]["right_arm"] = [0.0] * 6
    with pytest.raises(ManigymError, match=r"action, row 3: 'right_arm' is .*, expected 7 numbers"):
        physical(tmp_path, rows)
