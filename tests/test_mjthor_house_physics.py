"""Houses in MuJoCo: what stands stays and sleeps, what opens opens by hand and stays open."""

import math

import mujoco
import numpy as np
import pytest

from envs.mjthor.house.facts import House
from envs.mjthor.house.generate import generate
from envs.mjthor.house.model import add_house, empty_spec

CASES = [("train", 0), ("train", 1), ("train", 77), ("val", 3), ("test", 5), ("test", 999)]
IDS = [f"{split}-{index}" for split, index in CASES]


@pytest.fixture(scope="module", params=CASES, ids=IDS)
def built(request: pytest.FixtureRequest) -> tuple[House, mujoco.MjModel]:
    house = generate(*request.param)
    spec = empty_spec()
    add_house(spec, house)
    return house, spec.compile()


def started(model: mujoco.MjModel) -> mujoco.MjData:
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return data


def run(model: mujoco.MjModel, data: mujoco.MjData, seconds: float) -> None:
    for _ in range(round(seconds / model.opt.timestep)):
        mujoco.mj_step(model, data)


def pull(model: mujoco.MjModel, data: mujoco.MjData, joint: str, site: str, force: float) -> float:
    """Pull (or push, where the joint opens that way) at a site for 2 s with ``force`` newtons in
    the direction in which the joint opens; the opened fraction of its range."""
    of = model.joint(joint)
    body, address = of.bodyid[0], of.qposadr[0]
    travel = max(of.range, key=abs)
    for _ in range(round(2.0 / model.opt.timestep)):
        axis, point = data.joint(joint).xaxis, data.site(site).xpos
        if of.type[0] == mujoco.mjtJoint.mjJNT_HINGE:
            axis = np.cross(axis, point - data.joint(joint).xanchor)
            axis = axis / np.linalg.norm(axis)
        data.qfrc_applied[:] = 0.0
        towards = force * math.copysign(1.0, travel) * axis
        mujoco.mj_applyFT(model, data, towards, np.zeros(3), point, body, data.qfrc_applied)
        mujoco.mj_step(model, data)
    data.qfrc_applied[:] = 0.0
    return float(data.qpos[address] / travel)


def test_the_model_has_the_names_and_places_of_the_facts(built) -> None:
    house, model = built
    data = started(model)
    for thing in house.things:
        assert data.body(thing.name).xpos == pytest.approx(thing.position)
        assert model.joint(thing.name).type[0] == mujoco.mjtJoint.mjJNT_FREE
    for piece in house.furniture:
        assert data.body(piece.name).xpos[:2] == pytest.approx(piece.position)
    for opening in house.openings:
        low, high = sorted((0.0, opening.travel))
        assert model.joint(opening.name).range == pytest.approx((low, high))
        assert data.site(f"{opening.name}/handle").xpos == pytest.approx(opening.handle, abs=2e-3)
        if opening.kind == "drawer":
            assert data.joint(opening.name).xaxis[:2] == pytest.approx(opening.axis, abs=1e-3)
        else:
            assert data.joint(opening.name).xanchor[:2] == pytest.approx(opening.axis, abs=1e-3)
    for door in house.doors:
        assert data.joint(door.name).xanchor[:2] == pytest.approx(door.hinge)
        low, high = sorted((0.0, door.open_angle))
        assert model.joint(door.name).range == pytest.approx((low, high))
        for site in ("handle", "push"):
            assert data.site(f"{door.name}/{site}").xpos[2] == pytest.approx(door.handle_height)
    assert model.ngeom < 400


def test_the_bounding_box_of_a_thing_is_its_size(built) -> None:
    house, model = built
    for thing in house.things:
        body = model.body(thing.name)
        low, high = np.full(3, np.inf), np.full(3, -np.inf)
        for i in range(body.geomadr[0], body.geomadr[0] + body.geomnum[0]):
            turn = np.empty(9)
            mujoco.mju_quat2Mat(turn, model.geom_quat[i])
            half = np.abs(turn.reshape(3, 3)) @ model.geom_aabb[i, 3:]
            low = np.minimum(low, model.geom_pos[i] - half)
            high = np.maximum(high, model.geom_pos[i] + half)
        assert low[2] == pytest.approx(0.0, abs=1e-4)
        assert high - low == pytest.approx(np.array(thing.size), rel=0.08), thing.category


def test_masses_and_friction_that_a_hand_can_use(built) -> None:
    house, model = built
    for thing in house.things:
        body = model.body(thing.name)
        low, high = (0.05, 0.5) if thing.grasp else (0.4, 1.5)
        assert low <= body.mass[0] <= high, thing.category
        geoms = range(body.geomadr[0], body.geomadr[0] + body.geomnum[0])
        solid = [model.geom(i) for i in geoms if model.geom(i).contype[0]]
        assert all(geom.friction[0] == 1.0 and geom.condim[0] == 4 for geom in solid)


def test_everything_stays_and_sleeps(built) -> None:
    house, model = built
    data = started(model)
    start = {thing.name: data.body(thing.name).xmat.copy() for thing in house.things}
    run(model, data, 1.0)
    assert data.ntree_awake == 0
    run(model, data, 1.0)
    for thing in house.things:
        body = data.body(thing.name)
        assert math.dist(body.xpos, thing.position) < 0.005, thing.name
        cosine = (np.sum(body.xmat * start[thing.name]) - 1) / 2
        assert cosine > math.cos(math.radians(2)), thing.name
    assert not any(warning.number for warning in data.warning)


def test_an_awake_house_stays_too(built) -> None:
    """Sleep hides a slow creep: the same without it."""
    house, model = built
    model.opt.enableflags ^= int(mujoco.mjtEnableBit.mjENBL_SLEEP)
    data = started(model)
    run(model, data, 2.0)
    model.opt.enableflags ^= int(mujoco.mjtEnableBit.mjENBL_SLEEP)
    for thing in house.things:
        assert math.dist(data.body(thing.name).xpos, thing.position) < 0.005, thing.name
    for joint in (*house.doors, *house.openings):
        assert data.joint(joint.name).qpos[0] == pytest.approx(0.0, abs=1e-3)


def test_a_drawer_opens_with_20_newtons_a_door_with_40(built) -> None:
    house, model = built
    forces = [(o.name, "handle", 20.0 if o.kind == "drawer" else 40.0) for o in house.openings]
    forces += [(door.name, site, 40.0) for door in house.doors for site in ("handle", "push")]
    for joint, site, force in forces:
        data = started(model)
        run(model, data, 0.5)  # asleep: the force wakes it
        assert pull(model, data, joint, f"{joint}/{site}", force) > 0.67, joint
        assert pull(model, started(model), joint, f"{joint}/{site}", 1.5) < 0.02, joint


def test_what_was_opened_halfway_stays(built) -> None:
    house, model = built
    data = started(model)
    joints = [(opening.name, opening.travel / 2) for opening in house.openings]
    joints += [(door.name, door.open_angle / 2) for door in house.doors]
    for name, value in joints:
        data.joint(name).qpos[0] = value
    run(model, data, 2.0)
    for name, value in joints:
        assert data.joint(name).qpos[0] == pytest.approx(value, abs=5e-3)


def test_a_bowl_is_hollow_and_a_plate_flat(built) -> None:
    """A small box let go above a receptacle comes to rest on its floor."""
    house, _ = built
    floors = {"bowl": 0.2, "plate": 1.0, "tray": 0.25, "basket": 0.2, "box": 0.2}
    spec = empty_spec()
    add_house(spec, house)
    holders = [thing for thing in house.things if thing.receptacle]
    for i, thing in enumerate(holders):
        height = thing.position[2] + thing.size[2] + 0.03
        cube = spec.worldbody.add_body(name=f"cube_{i}", pos=(*thing.position[:2], height))
        cube.add_freejoint()
        cube.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=(0.02,) * 3, mass=0.1)
    model = spec.compile()
    data = started(model)
    run(model, data, 2.0)
    assert holders
    for i, thing in enumerate(holders):
        rest = thing.position[2] + floors[thing.category] * thing.size[2] + 0.02
        assert data.body(f"cube_{i}").xpos[2] == pytest.approx(rest, abs=0.002), thing.category
        assert math.dist(data.body(thing.name).xpos, thing.position) < 0.005
