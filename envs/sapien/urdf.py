"""What is read from a URDF file itself, in file order."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from xml.etree import ElementTree


def text(urdf: Path | str) -> str:
    """A URDF's text, from a file or as it is."""
    return urdf.read_text() if isinstance(urdf, Path) else urdf


def robot_links(urdf: Path | str) -> tuple[str, ...]:
    """Link names in file order."""
    return tuple(link.attrib["name"] for link in root_of(urdf).findall("link"))


def movable_joints(urdf: Path | str) -> tuple[str, ...]:
    """Names of the joints that move, in file order."""
    joints = root_of(urdf).findall("joint")
    return tuple(joint.attrib["name"] for joint in joints if joint.attrib["type"] != "fixed")


def without_visuals(urdf: Path | str) -> str:
    """The text with nothing to be seen in it, which may be read from another folder."""
    root = ElementTree.fromstring(text(urdf))
    if isinstance(urdf, Path):
        for mesh in root.iter("mesh"):
            mesh.set("filename", str(urdf.parent.absolute() / mesh.attrib["filename"]))
    for link in root.iter("link"):
        for visual in link.findall("visual"):
            link.remove(visual)
    return ElementTree.tostring(root, encoding="unicode")


def root_of(urdf: Path | str) -> ElementTree.Element:
    """The file as a tree, as it is now; not to be changed."""
    return _tree(text(urdf))


@lru_cache(maxsize=64)
def _tree(content: str) -> ElementTree.Element:
    return ElementTree.fromstring(content)


def child_link(urdf: Path | str, joint: str) -> str:
    """Name of the link that a joint moves; raises ``KeyError`` without such a joint."""
    for found in root_of(urdf).findall("joint"):
        child = found.find("child")
        if found.attrib["name"] == joint and child is not None:
            return child.attrib["link"]
    raise KeyError(f"no joint {joint!r}; it has: {', '.join(movable_joints(urdf))}")
