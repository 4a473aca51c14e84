"""The articulated objects of DexArt's tasks: how many, how different, how they are hinged."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from made_objects import ALL, collisions, corners, joint, of, stuff, turned, weight

from envs.dexart.instance import Instance
from envs.dexart.objects import COUNTS, bucket, build, faucet, laptop, shapes, toilet
from envs.dexart.setting import SETTINGS
from envs.sapien.parts import Link, urdf
from envs.schema import ManigymError

each_task = pytest.mark.parametrize("task", list(COUNTS))


# ------------------------------------------------------------------------------------- catalogue
def test_there_are_as_many_as_upstream_has():
    assert {task: sum(COUNTS[task].values()) for task in COUNTS} == {
        "faucet": 18,
        "bucket": 19,
        "laptop": 17,
        "toilet": 28,
    }
    modules = {"faucet": faucet, "bucket": bucket, "laptop": laptop, "toilet": toilet}
    for task, module in modules.items():
        assert {split: len(styles) for split, styles in module.STYLES.items()} == COUNTS[task]


def test_the_same_arguments_make_the_same_object():
    first = [build(*key) for key in ALL]
    build.cache_clear()
    assert [build(*key) for key in ALL] == first


@pytest.mark.parametrize(
    "wrong",
    [("door", "seen", 0), ("faucet", "test", 0), ("laptop", "unseen", 6), ("toilet", "seen", -1)],
)
def test_what_there_is_not_is_refused(wrong):
    with pytest.raises(ManigymError):
        build(*wrong)


@each_task
def test_objects_of_a_task_differ_in_size(task):
    sizes = []
    for instance in of(task):
        body, handle = {"faucet": ("body", "handle"), "laptop": ("base", "lid")}.get(
            task, ("body", "lid" if task == "toilet" else "bail")
        )
        spans = [np.ptp(corners(instance, f"{task}/{link}"), axis=0) for link in (body, handle)]
        sizes.append(np.concatenate(spans))
    assert min(np.abs(a - b).max() for a, b in combinations(sizes, 2)) > 1e-3


@pytest.mark.parametrize(
    ("module", "kind"),
    [
        (faucet, "handle"),
        (faucet, "body"),
        (bucket, "bail"),
        (laptop, "edge"),
        (toilet, "lid"),
        (toilet, "tank"),
    ],
)
def test_unseen_objects_are_of_kinds_that_no_seen_one_is(module, kind):
    seen, unseen = (
        {getattr(style, kind) for style in module.STYLES[s]} for s in ("seen", "unseen")
    )
    assert not seen & unseen
    assert min(len(seen), len(unseen)) >= 2


@pytest.mark.parametrize("end", [(0, 0, 0.3), (0.2, 0, 0), (0, -0.1, 0), (0.1, 0.2, -0.1)])
def test_rods_are_as_long_and_as_thick_in_a_urdf_as_they_were_made(end):
    text = urdf("x", [Link("rod", tuple(shapes.rod((0, 0, 0), end, 0.05, (1, 1, 1), 6, True)))])
    points = corners(Instance("x", text, "", (0, 0, 0)), "x/rod")
    axis = np.array(end) / np.linalg.norm(end)
    along, across = points @ axis, np.linalg.norm(points - np.outer(points @ axis, axis), axis=1)
    assert np.allclose(np.unique(along.round(9)), [0, np.linalg.norm(end)])
    assert np.allclose(across, 0.05)
    assert len(np.unique(points.round(6), axis=0)) == 24  # a prism of twelve sides


# --------------------------------------------------------------------------------------- hinges
@pytest.mark.parametrize(
    ("task", "link", "least", "most"),
    [
        ("faucet", "handle", 0.05, 0.2),
        ("laptop", "lid", 0.1, 0.3),
        ("toilet", "lid", 0.01, 0.05),
        ("bucket", "body", 0.5, 1.5),
        ("bucket", "bail", 0.004, 0.03),
    ],
)
def test_what_is_moved_is_light_enough(task, link, least, most):
    for instance in of(task):
        made, name = stuff(instance, task), f"{task}/{link}"
        density = made.densities.get(name, made.density)
        assert least < weight(instance, name, density) < most, instance.name


@each_task
def test_a_hinge_goes_from_the_start_to_beyond_the_goal(task):
    for instance in of(task):
        *_, low, high, child = joint(instance)
        assert f"{child}_joint" == instance.joint
        start = instance.closed + SETTINGS[task].ajar
        assert low <= start <= high
        if task == "faucet":
            assert max(-low, high) > 1.6
            continue
        assert low <= instance.open <= high
        assert 1.2 < abs(instance.open - start) < 1.75
        assert (instance.open > start) or task == "bucket"


@each_task
def test_opening_goes_up_or_about_as_it_should(task):
    for instance in of(task):
        *_, child = joint(instance)
        points = corners(instance, child)
        shut, opened = (
            points @ turned(instance, q).rotation.T + turned(instance, q).position
            for q in (instance.closed + SETTINGS[task].ajar, instance.open)
        )
        if task == "faucet":
            assert np.linalg.norm(points[:, :2], axis=1).max() * 2 > 0.07
            assert 0.05 < turned(instance, 0).position[2] < 0.25
            continue
        assert np.ptp(opened[:, 2]) > 2 * np.ptp(shut[:, 2])
        # A bucket's bail lies towards x, which is the robot's side at its yaw; lids towards -x.
        side = np.sign(shut[:, 0].mean() - joint(instance)[0].position[0])
        assert side == (1 if task == "bucket" else -1)
        assert shut[:, 2].max() + SETTINGS[task].base + instance.place[2] > 0.05


def test_a_lids_free_edge_is_where_x_is_largest_in_its_own_frame():
    for instance in of("toilet"):
        points = corners(instance, "toilet/lid")  # from the hinge, which is the origin
        assert points[:, 0].max() > 0.9 * np.linalg.norm(points, axis=1).max()
        assert points[:, 0].min() > -0.3 * points[:, 0].max()
        shut = points @ turned(instance, instance.closed).rotation.T
        assert shut[points[:, 0].argmax(), 0] < 0.9 * shut[:, 0].min()  # at the front, root's -x


def test_a_lid_clears_the_toilet_behind_it():
    for instance in of("toilet"):
        *_, low, high, child = joint(instance)
        points = corners(instance, child)
        for angle in np.linspace(low, high, 12):
            pose = turned(instance, angle)
            placed = points @ pose.rotation.T + pose.position
            for box, half in collisions(instance, "toilet/body"):
                inside = np.abs((placed - box.position) @ box.rotation) < half - 1e-4
                assert not inside.all(axis=1).any(), (instance.name, angle)


def test_a_bail_clears_the_wall_and_has_room_for_fingers():
    for instance in of("bucket"):
        *_, low, high, child = joint(instance)
        points = corners(instance, child)
        walls = [(p, h) for p, h in collisions(instance, "bucket/body") if h[2] > 0.05]
        top = max(p.position[2] + h[2] * p.rotation[2, 2] for p, h in walls)
        for angle in np.linspace(low, high, 15):
            pose = turned(instance, angle)
            for x in points @ pose.rotation.T + pose.position:
                # y of a panel looks inward: outside one of them is outside the bucket.
                out = max(-(x - p.position) @ p.rotation[:, 1] - h[1] for p, h in walls)
                assert x[2] > top or out > 0.0, (instance.name, angle)
        grip = turned(instance, instance.open).apply((0.0, 0.0, points[:, 2].max()))
        assert 0.05 < grip[2] - 0.02 - top < 0.16, instance.name
