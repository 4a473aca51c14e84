"""How the expert turns a faucet: it takes the lever across the palm and carries it round."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from envs.dexart.expert.servo import Command, rotation_vector
from envs.dexart.robot import ARM_JOINTS, PALM, URDF, Robot
from envs.dexart.things import Thing, vertices
from envs.sapien.geometry import Pose
from envs.sapien.kinematics import Chain, rotations

_P = dict(
    inset=0.045, zc=-0.008, back=0.08, press=0.006, lead=0.3, close=10, speed=1.3, f1=1.2, f2=1.2, f3=0.9, force=None, omegas=tuple(range(0,360,30)), pick=0, pool=0, yc=0.0,
    turn_cost=0.15, hit=20.0, prior=0.5, best=-50, open=0.2, thumb=1.0, knead=0.0
)
_START = np.array([0.1, 0.5, -1.2, -0.2, 0.7, 0.4])
_PHIS = np.radians(np.arange(-105, 46, 30)+15)


@dataclass(frozen=True)
class Grip:
    """A hold of the lever. ``palm`` in the handle's frame; ``axis`` (3,) of the turn in the world,
    ``back`` (3,) in the world: from where the hand comes."""

    palm: Pose
    axis: np.ndarray
    cost: float
    name: str


def _body_boxes(thing: Thing):
    out = []
    for name, link in thing.articulation.links.items():
        if link.name == thing.handle.name:
            continue
        for shape in link.native.get_collision_shapes():
            g = shape.geometry
            if hasattr(g, "half_lengths"):
                p = shape.get_local_pose()
                out.append((link.pose @ Pose(p.p.astype(float), p.q.astype(float)), np.asarray(g.half_lengths, float)))
    return out


def _grid(low, high, n):
    axes = [np.linspace(a, b, k) for a, b, k in zip(low, high, n)]
    return np.stack(np.meshgrid(*axes), -1).reshape(-1, 3)


def _finger(b):
    pts, p, ang = [], np.array([0.0, 0.0, 0.0164]), 0.0
    for length, bend in zip((0.054, 0.0384, 0.0387), b):
        ang += bend
        step = np.array([np.sin(ang), 0, np.cos(ang)])
        n = np.array([np.cos(ang), 0, -np.sin(ang)])
        for t in np.linspace(0, length, 3):
            pts += [p + step * t + n * 0.0098, p + step * t - n * 0.0098]
        p = p + step * length
    pts = np.array(pts)
    return np.concatenate([pts + [0, y + e, 0] for y in (-0.0435, 0, 0.0435) for e in (-0.012, 0.012)])


_FLANGE = np.concatenate([
    _grid((-0.0297, -0.0565, -0.095), (0.0111, 0.0565, 0.0), (3, 5, 5)),
    _grid((-0.16, -0.037, -0.082), (-0.045, 0.037, -0.008), (5, 3, 3)),
])
_HAND = {"closed": np.concatenate([_FLANGE, _finger((1.2, 1.0, 0.6))]), "open": np.concatenate([_FLANGE, _finger((0.2, 0.2, 0.2))])}


def _depth(points, boxes):
    """How deep points (..., 3) are in boxes, summed metres."""
    deep = np.zeros(points.shape[:-1])
    for pose, half in boxes:
        local = (points - pose.position) @ pose.rotation
        deep = np.maximum(deep, (half + 0.003 - np.abs(local)).min(-1))
    return deep.max(-1)


def plan(robot: Robot, thing: Thing, P=_P) -> list[Grip]:
    hinge = thing.hinge
    low, high = thing.articulation.limits[thing.number]
    out = hinge.rotation[:, 0]
    rot = thing.handle.pose.rotation
    world = vertices(thing.handle) @ rot.T + thing.handle.pose.position - hinge.position
    heights = world @ out
    if abs(heights.min()) > abs(heights.max()):
        out = -out
        heights = -heights
    ref = np.cross(out, [0.3, 0.5, 0.8]); ref /= np.linalg.norm(ref)
    # directions along the lever
    axes = [ref2 for ref2 in rotations(out, np.arange(48) * np.pi / 24) @ ref]
    reach, info = [], []
    for l in axes:
        t = np.cross(out, l)
        inside = (np.abs(world @ t) < 0.025) & (world @ l > 0)
        r = (world @ l)[inside]
        far = inside & (world @ l > 0.6 * (r.max() if len(r) else 1))
        reach.append(r.max() if len(r) else 0)
        info.append((heights[far].min(), heights[far].max(), np.abs(world @ t)[far].mean()) if far.any() else None)
    reach = np.array(reach)
    keep = []
    for i in np.argsort(-reach):
        if reach[i] < 0.7 * reach.max(): break
        if all(abs((i - j + 24) % 48 - 24) > 4 for j in keep): keep.append(i)
    boxes = _body_boxes(thing)
    rows = []
    for s in (1, -1):
        if (high if s > 0 else -low) < 1.55: continue
        a = s * hinge.rotation[:, 0]
        for i in keep:
            l = axes[i]; d = np.cross(a, l)
            h0, h1, w = info[i]
            centre = hinge.position + l * max(reach[i] - P["inset"], 0.02) + out * (h0 + h1) / 2
            for phi in _PHIS:
                x = np.cos(phi) * d + np.sin(phi) * out
                for ys in P["omegas"]:
                    y = np.cos(np.radians(ys)) * l + np.sin(np.radians(ys)) * np.cross(x, l); z = np.cross(x, y)
                    if d @ z > 0.4: continue
                    R = np.stack([x, y, z], 1)
                    thick = abs(np.cos(phi)) * min(w, 0.01) + abs(np.sin(phi)) * (h1 - h0) / 2
                    at = centre - R @ np.array([0.0111 + thick, P["yc"], P["zc"]])
                    rows.append((a, at, R, phi, ys, i, reach[i]))
    return _choose(robot, thing, rows, boxes, P)


def _choose(robot, thing, rows, boxes, P):
    chain = Chain.read(URDF, PALM, base=robot.links["link_base"].pose)
    hinge = thing.hinge
    n = len(rows)
    q = np.tile(_START, (n, 1))
    cost = np.zeros(n)
    R0 = np.stack([r[2] for r in rows]); p0 = np.stack([r[1] for r in rows])
    now = robot.palm.pose
    turn0 = np.array([np.linalg.norm(rotation_vector(r @ now.rotation.T)) for r in R0])
    cost += P["turn_cost"] * turn0
    stops = [("open", 0.0, P["back"]), ("closed", 0.0, 0.0), ("closed", 0.5, 0), ("closed", 1.0, 0), ("closed", 1.55, 0)]
    for k, (hand, ang, back) in enumerate(stops):
        T = np.stack([rotations(r[0], np.array([ang]))[0] for r in rows])
        Rk = T @ R0
        pk = np.einsum("nij,nj->ni", T, p0 - hinge.position) + hinge.position - back * Rk[:, :, 0]
        sol = chain.solve(pk, Rk, q, 60 if k == 0 else 25)
        q = sol.angles
        cost += 20 * np.clip(sol.distance - 0.003, 0, 0.5) + 3 * np.clip(sol.turn - 0.02, 0, 3)
        tip, _, J = chain.forward(q)
        sv = np.linalg.svd(J, compute_uv=False)[:, -1]
        cost += 0.3 * np.clip(0.12 - sv, 0, 1) / 0.12
        pts = np.einsum("nij,mj->nmi", Rk, _HAND[hand]) + pk[:, None]
        cost += P["hit"] * _depth(pts, boxes) + 20 * np.clip(0.012 - pts[..., 2].min(1), 0, 1)
    best = np.radians(P["best"])
    out = []
    for i, (a, at, R, phi, ys, li, re) in enumerate(rows):
        c = cost[i] + P["prior"] * (1 - np.cos(phi - best)) 
        if P["force"] is not None and abs(np.degrees(phi) - P["force"]) > 1: continue
        out.append(Grip(thing.handle.pose.inverse @ Pose.of(at, R), a, c, f"phi {np.degrees(phi):.0f} om {ys} up {hinge.rotation[2,0]:.1f} reach {re:.3f} s {np.sign(a@hinge.rotation[:,0]):.0f} dz {np.cross(a, thing.handle.pose.rotation[:,0])@R[:,2]:.1f} phi {np.degrees(phi):.0f} y {ys} l {li} turn {turn0[i]:.1f} c {c:.2f} {cost[i]:.2f}"))
    return sorted(out, key=lambda g: g.cost)


def faucet(robot: Robot, thing: Thing, P=_P) -> Iterator[Command]:
    grips = plan(robot, thing, P)
    grip = grips[int(P["pick"] * min(len(grips)-1, P["pool"]))]
    note = grip.name
    opened, closed = np.zeros(16), np.zeros(16)
    opened[[1, 5, 9]] = P["open"]; opened[[2, 6, 10]] = P["open"]
    opened[12:] = [0.263, -0.1, -0.15, -0.1]
    for k, v in ((1, P["f1"]), (2, P["f2"]), (3, P["f3"])): closed[[k, 4 + k, 8 + k]] = v
    closed[12:] = opened[12:]

    def at(ahead, back):
        pose = thing.handle.pose @ grip.palm
        turn = rotations(grip.axis, np.array([ahead]))[0]
        R = turn @ pose.rotation
        p = turn @ (pose.position - thing.hinge.position) + thing.hinge.position
        return Pose.of(p - back * R[:, 0], R)

    for back, up in ((P["back"] + 0.03, 0.04), (P["back"], 0.0), (0.0, 0.0)):
        for _ in range(60):
            pose = at(0, back)
            pose = Pose(pose.position + np.array([0, 0, up]), pose.quaternion)
            yield Command(pose, opened, P["speed"], exact=True)
            miss = np.linalg.norm(robot.palm.pose.position - pose.position)
            turn = np.linalg.norm(rotation_vector(pose.rotation @ robot.palm.pose.rotation.T))
            if miss < (0.03 if back else 0.012) and turn < (0.3 if back else 0.15):
                break
    for _ in range(P["close"]):
        yield Command(at(0, -P["press"]), closed, P["speed"], exact=True)
    n = 0
    while True:
        n += 1
        yield Command(at(P["lead"], -P["press"] - P["knead"] * np.sin(0.7 * n)), closed, P["speed"], exact=True)
