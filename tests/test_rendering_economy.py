"""Cheap pictures are the same pictures: every pixel as ``mujoco.Renderer`` draws it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import mujoco
import numpy as np
import pytest
from conftest import INSTALLED, needs_gl
from mujoco_plain import KINDS, PlainRenderer

from envs.culling import out_of_view
from envs.make import make_env
from envs.mujoco_env import MujocoEnv
from envs.rendering import OffscreenRenderer

pytestmark = needs_gl
SIZE = (48, 64)
TASKS = [
    *("Robomimic/lift-v0", "Robomimic/can-v0", "Adroit/door-v0", "Adroit/pen-v0"),
    *("Adroit/relocate-v0", "MJThor/pick-v0", "MJThor/tidy-v0"),
]
LENSES = {
    "narrow": 'fovy="20"',
    "wide": 'fovy="120"',
    "flat": 'projection="orthographic" fovy="3"',
    "shifted": 'resolution="64 48" sensorsize="0.02 0.01" focal="0.012 0.006" '
    'principal="0.004 -0.002"',
    "broad": 'resolution="64 48" sensorsize="0.02 0.01" focal="0.006 0.012" '
    'principal="-0.004 0.002"',
}
LOOKS = ("0 0 0", "0 60 0", "100 10 30", "200 -40 70")
SKY = """<texture name="sky" type="skybox" builtin="gradient" rgb1="1 0 0" rgb2="0 0 1"
                width="32" height="32"/>"""


def room(sky: str = SKY, things: int = 150) -> mujoco.MjModel:
    """Things of all kinds all around cameras with all kinds of lenses; a third is clear."""
    rng, geoms = np.random.default_rng(0), []
    for _ in range(things):
        kind = rng.choice(["box", "sphere", "capsule", "cylinder", "ellipsoid", "mesh"])
        shape = 'mesh="wedge"' if kind == "mesh" else f'size="{text(rng.uniform(0.02, 0.4, 3))}"'
        place = rng.normal(size=3) * rng.choice([0.5, 2.0, 6.0])
        colour = (*rng.uniform(size=3), rng.choice([0.3, 1.0, 1.0]))
        geoms.append(
            f'<geom type="{kind}" {shape} pos="{text(place)}" rgba="{text(colour)}" '
            f'euler="{text(rng.uniform(-180, 180, 3))}"/>'
        )
    cameras = [
        f'<camera name="{name} {i}" {lens} euler="{look}"/>'
        for name, lens in LENSES.items()
        for i, look in enumerate(LOOKS)
    ]
    return mujoco.MjModel.from_xml_string(f"""
        <mujoco>
          <statistic extent="2" center="0 0 0"/>
          <visual><map znear="0.01" zfar="15"/><quality shadowsize="256"/></visual>
          <asset>
            {sky}
            <material name="glass" rgba="1 1 1 0.4"/>
            <mesh name="wedge" vertex="0 0 0  .6 0 0  0 .9 0  .1 .1 .8  .6 .1 .8"/>
          </asset>
          <worldbody>
            <light pos="0 0 4"/>
            <geom type="plane" size="0 0 1" pos="0 0 -3" rgba=".3 .6 .3 1"/>
            <geom type="box" size=".3 .3 .3" pos="0 0 -2" material="glass"/>
            <site type="sphere" size=".2" pos=".4 0 -2" rgba="1 0 0 -0.5"/>
            {"".join(geoms)} {"".join(cameras)}
          </worldbody>
        </mujoco>""")


def text(numbers: np.ndarray | tuple[float, ...]) -> str:
    return " ".join(map(str, numbers))


def at_rest(model: mujoco.MjModel) -> mujoco.MjData:
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return data


def names(model: mujoco.MjModel) -> list[str]:
    return [model.camera(i).name for i in range(model.ncam)]


def check_all(
    ours: OffscreenRenderer, plain: PlainRenderer, data: mujoco.MjData, size: tuple[int, int]
) -> Iterator[int]:
    """Compare every kind of picture through every camera; yields how many things were drawn."""
    for camera in names(ours.model):
        expected = {kind: plain.picture(kind, data, camera) for kind in KINDS}
        for kind in KINDS:
            np.testing.assert_array_equal(
                getattr(ours, kind)(data, camera, size), expected[kind], f"{kind} of {camera}"
            )
            yield ours.scene.ngeom
        rgb, depth = ours.rgbd(data, camera, size)
        np.testing.assert_array_equal(rgb, expected["rgb"], camera)
        np.testing.assert_array_equal(depth, expected["depth"], f"depth beside rgb of {camera}")
        assert (rgb.dtype, depth.dtype) == (np.uint8, np.float32)


@pytest.mark.parametrize("profile", ["fast", "upstream"])
@pytest.mark.parametrize("sky", [SKY, ""])
def test_every_lens_sees_what_it_saw(sky: str, profile: str) -> None:
    model = room(sky)
    data, groups = at_rest(model), model.geom_group.copy()
    ours, plain = OffscreenRenderer(model, profile), PlainRenderer(model, SIZE, profile)
    drawn = list(check_all(ours, plain, data, SIZE))
    assert max(drawn) <= plain.scene.ngeom
    assert (np.median(drawn) < plain.scene.ngeom / 2) == (profile == "fast")
    np.testing.assert_array_equal(model.geom_group, groups)
    ours.close(), plain.close()


@pytest.mark.parametrize("env_id", TASKS)
def test_every_camera_of_a_task_sees_what_it_saw(env_id: str) -> None:
    if env_id not in INSTALLED:
        pytest.skip(f"{env_id} is not installed")
    env = make_env(env_id, {"isolation": "in_process", "image_size": SIZE})
    assert isinstance(env, MujocoEnv)
    rng = np.random.default_rng(1)
    for seed in range(2):
        env.reset(seed=seed)
        plain = PlainRenderer(env.model, SIZE, option=env._scene_option())
        for _ in range(6):
            env.advance(rng.uniform(-1, 1, env.card.action.size).astype(np.float32))
        list(check_all(env._drawing(), plain, env.data, SIZE))
        plain.close()
    env.close()


def test_a_thing_counts_as_out_of_view_where_its_box_leaves_the_picture() -> None:
    """A camera looking down -z with 90 degrees sees |x| < -z and, 2 to 1, |y| < -z / 2."""
    half, places = 0.1, []
    for x, y, z in ((1.19, 0, -1), (1.21, 0, -1), (0, 0.64, -1), (0, 0.66, -1), (0, 0, 0.5)):
        places += [(x, y, z), (-x, -y, z)]
    geoms = "".join(
        f'<geom type="box" size="{half} {half} {half}" pos="{text(place)}"/>' for place in places
    )
    fovy = np.degrees(2 * np.arctan(0.5))
    model = mujoco.MjModel.from_xml_string(
        f'<mujoco><worldbody><camera name="eye" fovy="{fovy}"/>{geoms}'
        '<geom type="plane" size="1 1 1" pos="0 0 5"/></worldbody></mujoco>'
    )
    data, scene, view = at_rest(model), mujoco.MjvScene(model, 100), mujoco.MjvCamera()
    view.type, view.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, 0
    mujoco.mjv_updateCamera(model, data, view, scene)
    hidden = out_of_view(model, data, scene, 2.0)
    # the corner that is seen last lies half a side inwards and half a side further away
    expected = [False, False, True, True, False, False, True, True, True, True, False]
    assert hidden.tolist() == expected


def test_a_picture_that_fails_leaves_the_model_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    model = room()
    data, renderer, groups = at_rest(model), OffscreenRenderer(model), model.geom_group.copy()
    before = renderer.depth(data, "narrow 1", SIZE), renderer.rgb(data, "narrow 1", SIZE)

    def fail(*_: object) -> None:
        assert (model.geom_group != groups).any()
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(mujoco, "mjv_updateScene", fail)
        with pytest.raises(MemoryError):
            renderer.depth(data, "narrow 1", SIZE)
    np.testing.assert_array_equal(model.geom_group, groups)
    np.testing.assert_array_equal(renderer.rgb(data, "narrow 1", SIZE), before[1])
    np.testing.assert_array_equal(renderer.depth(data, "narrow 1", SIZE), before[0])
    renderer.close()


def test_renderers_of_all_kinds_live_beside_each_other() -> None:
    """One OpenGL context for ours, others for strangers; sizes and profiles in any order."""
    models = room(), room("", things=40)
    views = [
        (OffscreenRenderer(model, profile), at_rest(model), size)
        for model in models
        for profile in ("fast", "upstream")
        for size in (SIZE, (96, 32))
    ]
    first = [ours.rgb(data, "wide 2", size) for ours, data, size in views]
    stranger = PlainRenderer(models[1], SIZE)
    for place in np.random.default_rng(3).permutation(len(views) * 3) % len(views):
        stranger.picture("rgb", views[0][1], "wide 0") if place % 3 else None
        ours, data, size = views[place]
        np.testing.assert_array_equal(ours.rgb(data, "wide 2", size), first[place])
        np.testing.assert_array_equal(ours.rgb(data, "wide 2", size[::-1]).shape[:2], size[::-1])
    stranger.close()
    for ours, _, _ in views[1:]:
        ours.close()
    ours, data, size = views[0]
    np.testing.assert_array_equal(ours.rgb(data, "wide 2", size), first[0])
    with pytest.raises(RuntimeError, match="closed"):
        views[1][0].rgb(data, "wide 2", size)


def test_a_thread_draws_the_same() -> None:
    model = room(things=20)
    data, ours, drawn = at_rest(model), OffscreenRenderer(model), []
    expected = ours.rgb(data, "wide 2", SIZE)

    def draw() -> None:
        own = OffscreenRenderer(model)
        drawn.append(own.rgb(data, "wide 2", SIZE))
        own.close()

    thread = threading.Thread(target=draw)
    thread.start()
    thread.join()
    for picture in (drawn[0], ours.rgb(data, "wide 2", SIZE)):
        np.testing.assert_array_equal(picture, expected)
