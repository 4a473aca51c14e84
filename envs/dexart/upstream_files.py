"""Reading upstream's asset files: what is not there or not as expected is said in words."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from envs.schema import ManigymError

SOURCE = "unpack the assets of Kami-code/dexart-release (link in its README) there"
_TYPES = ("fixed", "revolute", "continuous", "prismatic")  # SAPIEN 2 exits at any other
_NUMBERS = {"xyz": 3, "rpy": 3, "size": 3, "radius": 1, "length": 1, "lower": 1, "upper": 1}


class Urdf:
    """A URDF file as SAPIEN 2 sees it. What is refused here, SAPIEN 2 answers with an error without
    words, with the end of the process, or by taking something else. ``source``: where to get it.

    ``links``: names in file order; ``moving``: names of the joints that move, in SAPIEN's order.
    """

    def __init__(self, file: Path, source: str = SOURCE) -> None:
        self.file, self._source = existing(file, source), source
        root = self._root()
        self.links = self._names(root, "link")
        self.joints = root.findall("joint")
        self._names(root, "joint")
        for element in root.iter():
            self._check_numbers(element)
        for inertial in root.iter("inertial"):
            if inertial.find("mass") is None or inertial.find("inertia") is None:
                raise self._refuse("an <inertial> has no <mass> or no <inertia>")
        for shape in (*root.iter("visual"), *root.iter("collision")):
            self._check_shape(shape)
        for joint in self.joints:
            self._check_joint(joint)
        self.moving = self._moving()

    def require_link(self, name: str) -> None:
        """ManigymError unless it has this link."""
        if name not in self.links:
            known = ", ".join(sorted(self.links))
            raise ManigymError(
                f"{self.file} has no link {name!r}; it has: {known}\n  {self._source}"
            )

    def _refuse(self, what: str) -> ManigymError:
        return ManigymError(f"{self.file}: {what}\n  {self._source}")

    def _root(self) -> ElementTree.Element:
        try:
            root = ElementTree.parse(self.file).getroot()
        except (OSError, ElementTree.ParseError) as error:
            raise ManigymError(f"{self.file} cannot be read: {error}\n  {self._source}") from error
        if root.tag != "robot":
            raise self._refuse(f"expected a URDF, whose root is <robot>, got <{root.tag}>")
        return root

    def _names(self, root: ElementTree.Element, kind: str) -> tuple[str, ...]:
        names = tuple(element.attrib.get("name", "") for element in root.findall(kind))
        for name, count in Counter(names).items():
            if not name or count > 1:
                what = f"{count} of its {kind}s have" if count > 1 else f"a {kind} has"
                raise self._refuse(f"{what} the name {name!r}; every {kind} has one of its own")
        return names

    def _check_numbers(self, element: ElementTree.Element) -> None:
        for name in _NUMBERS.keys() & element.attrib.keys():
            given, count = element.attrib[name], _NUMBERS[name]
            if len(_numbers(given)) != count:
                raise self._refuse(
                    f"<{element.tag}> has {name}={given!r}, expected {count} finite number(s)"
                )

    def _check_shape(self, shape: ElementTree.Element) -> None:
        found = shape.find("geometry/*")
        if found is None:
            raise self._refuse(f"a <{shape.tag}> has no shape in a <geometry>")
        wanted = {"box": "size", "sphere": "radius", "mesh": "filename"}.get(found.tag)
        if wanted and wanted not in found.attrib:
            raise self._refuse(f"the <{found.tag}> of a <{shape.tag}> has no {wanted}")
        if found.tag == "mesh":
            name = found.attrib["filename"].removeprefix("package://")
            existing(self.file.parent / name, self._source)  # SAPIEN takes the URDF's folder, too

    def _check_joint(self, joint: ElementTree.Element) -> None:
        name, kind = joint.attrib["name"], joint.attrib.get("type")
        if kind not in _TYPES:
            raise self._refuse(
                f"joint {name!r} has the type {kind!r}; SAPIEN 2 knows: {', '.join(_TYPES)}"
            )
        axis, limit = joint.find("axis"), joint.find("limit")
        if kind != "fixed" and axis is not None and not any(_numbers(axis.attrib.get("xyz", ""))):
            raise self._refuse(f"joint {name!r} has an axis of length 0")
        if kind not in ("revolute", "prismatic"):
            return
        if limit is None or not {"lower", "upper"} <= limit.attrib.keys():
            raise self._refuse(f"joint {name!r}, {kind}, has no <limit> with lower and upper")
        low, high = (float(limit.attrib[end]) for end in ("lower", "upper"))
        if low > high:
            raise self._refuse(f"joint {name!r} has a lower limit, {low}, above its upper, {high}")

    def _moving(self) -> tuple[str, ...]:
        """Depth first, children as in the file. A URDF's joints may stand in any order."""
        below: dict[str, list[tuple[str, ElementTree.Element]]] = {}
        parents = Counter[str]()
        for joint in self.joints:
            child = self._end(joint, "child")
            below.setdefault(self._end(joint, "parent"), []).append((child, joint))
            parents[child] += 1
        roots = [link for link in self.links if link not in parents]
        if len(roots) != 1 or max(parents.values(), default=1) > 1:
            names = ", ".join(roots) or "none"
            raise self._refuse(
                f"its links are not one tree: links without a parent are {names}, "
                f"and with several: {', '.join(n for n in parents if parents[n] > 1) or 'none'}"
            )
        found = list(_walk(roots[0], below))
        if len(found) != len(self.joints):
            raise self._refuse(f"some of its joints do not hang on its root link, {roots[0]}")
        return tuple(j.attrib["name"] for j in found if j.attrib["type"] != "fixed")

    def _end(self, joint: ElementTree.Element, end: str) -> str:
        link = joint.find(end)
        if link is None or link.attrib.get("link") not in self.links:
            raise self._refuse(f"joint {joint.attrib['name']!r} has no {end} link")
        return link.attrib["link"]


def _walk(
    link: str, below: Mapping[str, list[tuple[str, ElementTree.Element]]]
) -> Iterator[ElementTree.Element]:
    for child, joint in below.get(link, ()):
        yield joint
        yield from _walk(child, below)


def _numbers(text: str) -> list[float]:
    """The finite numbers of a text; none at all where anything else is in it."""
    try:
        found = [float(word) for word in text.split()]
    except ValueError:
        return []
    return found if all(map(math.isfinite, found)) else []


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


def existing(path: Path, source: str = SOURCE) -> Path:
    """The path; ManigymError where no file is there, and where to get it."""
    if not path.is_file():
        raise ManigymError(f"missing upstream asset: {path}\n  {source}")
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
