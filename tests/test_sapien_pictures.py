"""Pictures of both SAPIEN lines against closed forms: where a known box must appear."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from test_sapien import each_line, make, turn

from envs.sapien.camera import CameraSpec
from envs.sapien.geometry import Pose
from envs.sapien.line import line
from envs.schema import flatten

HEIGHT, WIDTH, FOVY = 120, 160, 60.0
FOCAL = 0.5 * HEIGHT / np.tan(np.radians(FOVY) / 2)
DISTANCE, LEFT, UP, HALF = 1.5, 0.3, 0.2, 0.1  # metres: the centre of the box, seen by the camera
FACE = DISTANCE - HALF
COLOUR = (1.0, 0.5, 0.25)
PROFILES = ("fast", "upstream")


@pytest.fixture
def rendering(env_id):
    if not line().rendering.ok:
        pytest.skip(line().rendering.reason)


def expected_box():
    """The pixels of the near face, rows and columns, to be covered by the box."""
    columns = WIDTH / 2 - FOCAL * (LEFT + np.array([HALF, -HALF])) / FACE
    rows = HEIGHT / 2 - FOCAL * (UP + np.array([HALF, -HALF])) / FACE
    return rows, columns


def check_box(camera, picture_id, colour=None):
    camera.take()
    mask = camera.picture_ids() == picture_id
    (top, bottom), (left, right) = expected_box()
    seen_rows, seen_columns = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
    assert seen_rows[0] == pytest.approx(top, abs=1)
    assert seen_columns[0] == pytest.approx(left, abs=1)
    centre = round((top + bottom) / 2), round((left + right) / 2)
    assert mask[centre]
    assert camera.depth()[centre] == pytest.approx(FACE, abs=1e-3)
    assert camera.depth()[-1, 0] == np.float32(10.0), "nothing there: the far plane"
    assert camera.depth().dtype == np.float32 and camera.depth().shape == (HEIGHT, WIDTH)
    if colour:
        np.testing.assert_allclose(camera.rgb()[centre], np.multiply(colour, 255), atol=1)


@pytest.mark.parametrize("profile", PROFILES)
@each_line
def test_a_box_appears_where_it_must(env_id, rendering, profile):
    scene = line().new_scene(0.004)
    eye = Pose((0.5, -0.4, 2.0), turn((0, 0, 1), np.pi / 2))
    scene.add_box("other", (0.01,) * 3, Pose((9.0, 9.0, 9.0)), (0.0, 0.0, 1.0))
    box = scene.add_box("box", (HALF,) * 3, eye @ Pose((DISTANCE, LEFT, UP)), COLOUR)
    scene.add_lights((0.5, 0.5, 0.5), [((0.0, 0.0, -1.0), (1.0, 1.0, 1.0))])
    shader = line().shaders[profile]
    camera = scene.add_camera(CameraSpec(eye, FOVY), (HEIGHT, WIDTH), shader)
    scene.update_render()
    check_box(camera, box.picture_id, COLOUR if profile == "fast" else None)


@each_line
def test_a_mounted_camera_turns_with_its_link(env_id, rendering):
    env = make(env_id)
    env.reset(seed=0)
    scene = env.scene
    pose = np.array([-0.4, 0.3, 0.5, 0.2, 0.4, 1.2, 0.0, 0.0])
    env.robot.set_state(pose, np.zeros(8), pose)
    spec = CameraSpec(Pose((0.1, 0.0, 5.0), turn((0, 1, 0), -np.pi / 2)), FOVY, mount="hand")
    eye = scene.camera_pose(spec)  # far above the table, looking further away from it
    box = scene.add_box("box", (HALF,) * 3, eye @ Pose((DISTANCE, LEFT, UP)), COLOUR)
    camera = scene.add_camera(spec, (HEIGHT, WIDTH), line().shaders["fast"])
    scene.update_render()
    check_box(camera, box.picture_id, COLOUR)


@each_line
def test_segmentation_numbers_are_places_in_the_list_of_objects(env_id, rendering):
    env = make(env_id, observations=("segmentation", "rgb"), image_size=(120, 120))
    observation, _ = env.reset(seed=3)
    assert (
        env.object_names()[:2] == ("floor", "backdrop") and env.object_names()[-1] == "right_finger"
    )
    numbers, rgb = observation["segmentation"]["front"], observation["rgb"]["front"]
    assert set(np.unique(numbers)) <= set(range(-1, len(env.object_names())))
    red = np.all(rgb == (229, 38, 51), axis=-1)  # the target's colour
    assert red.sum() > 20
    assert np.array_equal(red, numbers == env.object_names().index("target"))


@each_line
def test_point_cloud_lies_on_the_table_and_around_the_target(env_id, rendering):
    env = make(env_id, observations=("point_cloud", "state"), image_size=(120, 120))
    observation, _ = env.reset(seed=3)
    cloud, target = observation["point_cloud"], observation["state"]
    table = np.all(np.abs(cloud[:, 3:] - (0.72, 0.60, 0.46)) < 0.005, axis=1)
    top = cloud[table & (cloud[:, 2] > -0.002)]
    assert len(top) > 100 and np.abs(top[:, 2]).max() < 1e-3
    red = np.all(np.abs(cloud[:, 3:] - (0.90, 0.15, 0.20)) < 0.005, axis=1)
    radii = np.linalg.norm(cloud[red, :3] - target, axis=1)
    np.testing.assert_allclose(radii, 0.025, atol=2e-3)
    assert red.any() and cloud[:, 2].min() > -0.05


@each_line
def test_profiles_differ_in_light_only(env_id, rendering):
    pictures = ("rgb", "depth", "segmentation")
    fast, lit = (
        make(env_id, observations=pictures, render_profile=profile).reset(seed=3)[0]
        for profile in PROFILES
    )
    for camera in ("front", "wrist"):
        assert np.array_equal(fast["segmentation"][camera], lit["segmentation"][camera])
        np.testing.assert_allclose(fast["depth"][camera], lit["depth"][camera], atol=1e-4)
        assert len(np.unique(lit["rgb"][camera])) > 2 * len(np.unique(fast["rgb"][camera]))


@each_line
def test_a_picture_shows_the_present_state_whoever_looked_before(env_id, rendering):
    env, other = (make(env_id, observations=("rgb", "depth")) for _ in range(2))
    first, _ = env.reset(seed=3)
    for _ in range(4):
        last = env.step(np.ones(7, np.float32))[0]
    other.restore(env.snapshot())  # draws nothing on its way
    for key, picture in flatten(other.observe()).items():
        assert np.array_equal(picture, flatten(last)[key]), key
        assert not np.array_equal(picture, flatten(first)[key]), key


def episode_pictures(env_id):
    """Hash of all pictures of a short episode."""
    options = {"observations": ("rgb", "depth", "segmentation", "point_cloud")}
    env = make(env_id, **options)
    env.reset(seed=2)
    digest = hashlib.sha256()
    for action in np.random.default_rng(2).uniform(-1, 1, (5, 7)):
        for value in flatten(env.step(action)[0]).values():
            digest.update(value.tobytes())
    return digest.hexdigest()


@each_line
def test_pictures_are_the_same_in_another_process(env_id, rendering):
    code = f"import envs, test_sapien_pictures as t; print(t.episode_pictures({env_id!r}))"
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    command = [sys.executable, "-c", code]
    run = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == episode_pictures(env_id) == episode_pictures(env_id)
