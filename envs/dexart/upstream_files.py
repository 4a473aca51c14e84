"""Reading upstream's asset files: what is not there or not as expected is said in words."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from envs.schema import ManigymError

SOURCE = "unpack the assets of Kami-code/dexart-release (link in its README) there"


class Urdf:
    """One ``mobility.urdf`` as SAPIEN 2 sees it."""

    def __init__(self, file: Path) -> None:
        self.file = existing(file)
        try:
            self.root = ElementTree.parse(file).getroot()
        except (OSError, ElementTree.ParseError) as error:
            raise ManigymError(f"{file} cannot be read: {error}\n  {SOURCE}") from error
        for mesh in self.root.iter("mesh"):
            existing(file.parent / mesh.attrib.get("filename", "<mesh> without a filename"))
        self.joints = self.root.findall("joint")
        self.links = {link.attrib.get("name", "") for link in self.root.findall("link")}
        self.moving = self._moving()

    def require_link(self, name: str) -> None:
        """ManigymError unless it has this link."""
        if name not in self.links:
            known = ", ".join(sorted(self.links))
            raise ManigymError(f"{self.file} has no link {name!r}; it has: {known}\n  {SOURCE}")

    def _moving(self) -> tuple[str, ...]:
        """Names of the joints that move in SAPIEN 2's order: depth first, children as in the
        file. A URDF's joints may stand in any order."""
        below: dict[str, list[tuple[str, ElementTree.Element]]] = {}
        for joint in self.joints:
            below.setdefault(self._end(joint, "parent"), []).append(
                (self._end(joint, "child"), joint)
            )
        children = {child for entries in below.values() for child, _ in entries}
        roots = [link for link in below if link not in children]
        found = [joint for root in roots for joint in _walk(root, below)]
        return tuple(j.attrib.get("name", "") for j in found if j.attrib.get("type") != "fixed")

    def _end(self, joint: ElementTree.Element, end: str) -> str:
        link = joint.find(end)
        if link is None or link.attrib.get("link") not in self.links:
            raise ManigymError(
                f"{self.file}: joint {joint.attrib.get('name')!r} has no {end} link\n  {SOURCE}"
            )
        return link.attrib["link"]


def _walk(
    link: str, below: Mapping[str, list[tuple[str, ElementTree.Element]]]
) -> Iterator[ElementTree.Element]:
    for child, joint in below.get(link, ()):
        yield joint
        yield from _walk(child, below)


def entry(file: Path, number: str, check: Callable[[Any], Any], default: Any = None) -> Any:
    """An object's entry in an annotation file, checked; an absent one is ``default``, or an error
    where that is ``None``."""
    content = read(file, dict)
    if number not in content:
        if default is None:
            raise ManigymError(f"{file} says nothing about object {number}\n  {SOURCE}")
        return default
    try:
        return check(content[number])
    except ValueError as error:
        raise ManigymError(f"{file}, object {number}: {error}") from None


def read(file: Path, kind: type) -> Any:
    """A JSON file whose content is a ``kind``."""
    try:
        content = json.loads(existing(file).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ManigymError(f"{file} cannot be read: {error}\n  {SOURCE}") from error
    if not isinstance(content, kind):
        raise ManigymError(
            f"{file}: expected a JSON {_JSON[kind]}, got {_short(content)}\n  {SOURCE}"
        )
    return content


_JSON: dict[type, str] = {dict: "object", list: "array"}


def words(file: Path) -> dict[str, list[str]]:
    """A table of words: a header, then lines by their first word."""
    try:
        lines = existing(file).read_text("utf-8").splitlines()[1:]
    except (OSError, UnicodeDecodeError) as error:
        raise ManigymError(f"{file} cannot be read: {error}\n  {SOURCE}") from error
    return {line.split()[0]: line.split()[1:] for line in lines if line.strip()}


def existing(path: Path) -> Path:
    """The path; ManigymError where nothing is there."""
    if not path.exists():
        raise ManigymError(f"missing upstream asset: {path}\n  {SOURCE}")
    return path


def positive(value: Any) -> float:
    """A scale."""
    if number(value) <= 0:
        raise ValueError(f"expected a number above 0, got {_short(value)}")
    return float(value)


def triple(value: Any) -> tuple[float, float, float]:
    """Metres along x, y, z."""
    if not isinstance(value, list) or len(value) != 3:
        raise ValueError(f"expected three numbers, got {_short(value)}")
    x, y, z = (number(v) for v in value)
    return x, y, z


def number(value: Any) -> float:
    """A finite number; JSON files of Python may hold NaN and Infinity."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"expected a finite number, got {_short(value)}")
    return float(value)


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
