"""Bodies made of primitive shapes, as data; :class:`envs.sapien.scene.Scene` builds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from xml.sax.saxutils import quoteattr

from envs.sapien.geometry import HERE, Pose, Vector, euler

Colour = tuple[float, float, float]
Surface = tuple[float, float, float]  # static friction, dynamic friction, restitution
Shape = Literal["box", "sphere", "capsule", "cylinder", "mesh"]


@dataclass(frozen=True)
class Part:
    """One primitive, or one mesh, of a body. Metres; ``pose`` in the frame of the body.

    ``size``: half sizes (x, y, z) of a box; (radius,) of a sphere; (radius, half length) of a
    capsule or cylinder, whose axis is x; a capsule's half length is without its round ends; the
    scale (x, y, z) of the mesh in ``file``, which has colours of its own and collides as the convex
    hulls of its pieces.
    """

    shape: Shape
    size: tuple[float, ...]
    pose: Pose = HERE
    colour: Colour = (0.8, 0.8, 0.8)
    collides: bool = True
    visible: bool = True
    file: Path | None = None


@dataclass(frozen=True)
class Stuff:
    """What the links of a URDF are made of where it does not say: ``density`` kg/m3 of all,
    ``densities`` of single ones, by name; ``surface`` of all. SAPIEN's own where not given."""

    density: float | None = None
    densities: Mapping[str, float] = field(default_factory=dict)
    surface: Surface | None = None


@dataclass(frozen=True)
class Link:
    """A rigid part of an articulated object and the joint that holds it to its parent.

    ``origin``: the joint, and this link's frame, in the parent's frame. ``axis`` in this frame.
    ``low`` and ``high``: rad or m. ``mass`` kg, ``inertia`` diagonal kg m2 about ``centre``; a link
    without a mass weighs what the density of its shapes makes.
    """

    name: str
    parts: tuple[Part, ...]
    mass: float | None = None
    inertia: tuple[float, float, float] = (0.0, 0.0, 0.0)
    centre: Vector = (0.0, 0.0, 0.0)
    parent: str | None = None
    joint: Literal["fixed", "revolute", "prismatic"] = "fixed"
    origin: Pose = HERE
    axis: tuple[float, float, float] = (0.0, 0.0, 1.0)
    low: float = 0.0
    high: float = 0.0


def urdf(name: str, links: Sequence[Link]) -> str:
    """The URDF text of an articulated object, links named ``<name>/<link>``; no capsules."""
    lines = [f"<robot name={quoteattr(name)}>"]
    for link in links:
        lines.append(f"<link name={quoteattr(f'{name}/{link.name}')}>")
        if link.mass is not None:
            lines.append(_inertial(link))
        for i, part in enumerate(link.parts):
            if part.visible:
                lines.append(_element("visual", part, _material(f"{link.name}_{i}", part.colour)))
            if part.collides:
                lines.append(_element("collision", part, ""))
        lines.append("</link>")
        if link.parent is not None:
            lines.append(_joint(name, link))
    return "\n".join([*lines, "</robot>"])


def _inertial(link: Link) -> str:
    x, y, z = link.inertia
    return (
        f"<inertial>{_origin(Pose(link.centre))}<mass value='{link.mass}'/>"
        f"<inertia ixx='{x}' iyy='{y}' izz='{z}' ixy='0' ixz='0' iyz='0'/></inertial>"
    )


def _element(kind: str, part: Part, extra: str) -> str:
    pose = part.pose
    if part.shape == "box":
        shape = "<box size='{} {} {}'/>".format(*(2 * s for s in part.size))
    elif part.shape == "sphere":
        shape = f"<sphere radius='{part.size[0]}'/>"
    elif part.shape == "cylinder":
        pose = pose @ _X_TO_Z  # a URDF's cylinders stand along z
        shape = f"<cylinder radius='{part.size[0]}' length='{2 * part.size[1]}'/>"
    else:
        raise ValueError(f"URDFs are written without {part.shape} parts; use other primitives")
    return f"<{kind}>{_origin(pose)}<geometry>{shape}</geometry>{extra}</{kind}>"


_X_TO_Z = Pose(quaternion=(0.5**0.5, 0.0, -(0.5**0.5), 0.0))  # z of the cylinder along x


def _joint(name: str, link: Link) -> str:
    x, y, z = link.axis
    return (
        f"<joint name={quoteattr(f'{name}/{link.name}_joint')} type={quoteattr(link.joint)}>"
        f"<parent link={quoteattr(f'{name}/{link.parent}')}/>"
        f"<child link={quoteattr(f'{name}/{link.name}')}/>"
        f"{_origin(link.origin)}<axis xyz='{x} {y} {z}'/>"
        f"<limit lower='{link.low}' upper='{link.high}' effort='100' velocity='100'/></joint>"
    )


def _origin(pose: Pose) -> str:
    x, y, z = pose.position
    roll, pitch, yaw = euler(pose)
    return f"<origin xyz='{x} {y} {z}' rpy='{roll} {pitch} {yaw}'/>"


def _material(name: str, colour: Colour) -> str:
    r, g, b = colour
    return f"<material name={quoteattr(name)}><color rgba='{r} {g} {b} 1'/></material>"
