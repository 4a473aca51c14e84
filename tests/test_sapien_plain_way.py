"""Fast ways of ``envs.sapien`` against the plain ones, bit for bit."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import sapien_plain as plain
from test_sapien import each_line, make, press

from envs.sapien.camera import Camera
from envs.sapien.cloud import Box, seen_from, world_points
from envs.sapien.geometry import Pose

BOXES = {
    "all": Box(),
    "workspace": Box((-0.5, -0.4, -0.3), (0.5, 0.6, 0.7), (0.1, 0.0, -0.2)),
    "nothing": Box((9.0, 9.0, 9.0), (10.0, 10.0, 10.0)),
}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def random_pose(rng):
    turn = rng.normal(size=4)
    return Pose(rng.normal(size=3), turn / np.linalg.norm(turn))


def bits(pose):
    return np.asarray(pose.position).tobytes(), np.asarray(pose.quaternion).tobytes()


def test_poses(rng):
    for _ in range(500):
        outer, inner = random_pose(rng), random_pose(rng)
        assert outer.rotation.tobytes() == plain.rotation(outer).tobytes()
        assert bits(outer @ inner) == bits(plain.product(outer, inner))
    half_turn = Pose((0, 0, 0), (0, 0, 1, 0))  # zeros have signs
    assert bits(half_turn @ half_turn) == bits(plain.product(half_turn, half_turn))


def picture(rng, hit):
    """Position and colour (48, 64, 4) as a camera reads them; a share ``hit`` hits something."""
    points = rng.normal(0.0, 0.5, (48, 64, 4)).astype(np.float32)
    points[..., 2] = -np.abs(points[..., 2]) - np.float32(0.1)
    points[rng.random((48, 64)) > hit] = 0.0
    return points, rng.uniform(-0.1, 1.2, (48, 64, 4)).astype(np.float32)


@pytest.mark.parametrize("hit", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("box", BOXES.values(), ids=BOXES)
def test_points_of_a_picture(rng, box, hit):
    (points, colours), pose = picture(rng, hit), random_pose(rng)
    ours = world_points(points, colours, pose, box)
    assert ours.tobytes() == plain.world_points(points, colours, pose, box).tobytes()
    if hit and box is BOXES["workspace"]:
        assert 40 < len(ours) < hit * 48 * 64 / 2
    base = random_pose(rng)
    expected = plain.seen_from(base, ours.copy())
    assert seen_from(base, ours).tobytes() == expected.tobytes()


def test_colours(rng):
    _, colours = picture(rng, 1.0)

    class Shown(Camera):
        def _read(self, name):
            return colours

    ours = Shown(None, 1.0, None).rgb()
    assert ours.flags.c_contiguous and ours.shape == (48, 64, 3)
    np.testing.assert_array_equal(ours, plain.rgb(colours))


@each_line
def test_contacts_between_bodies_are_those_of_all_contacts(env_id):
    env = make(env_id, terminate_on_success=False)
    env.reset(seed=1)
    press(env, 40)
    everything = [(c.first, c.second, c.points.tobytes()) for c in env.scene.contacts()]
    assert everything
    for first, second, _ in everything:
        for of, at in ((first, second), (second, first)):
            found = env.scene.contacts(of=(of,), at=(at,))
            expected = [c for c in everything if {c[0], c[1]} == {first, second}]
            assert [(c.first, c.second, c.points.tobytes()) for c in found] == expected
        assert env.scene.contacts(of=(first,), at=("nothing",)) == []


_FAULTS = """
import resource, sys
import numpy as np
from envs.sapien.malloc import keep_freed_memory
if sys.argv[1] == "kept":
    assert keep_freed_memory()
def fill():
    [np.ones(1 << 18) for _ in range(10)]
fill()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    fill()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc")
def test_freed_memory_is_kept():
    def faults(how):
        command = [sys.executable, "-c", _FAULTS, how]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    assert faults("kept") < 2000 < 10000 < faults("given back"), "20 MB in pages of 4 kB, 20 times"
