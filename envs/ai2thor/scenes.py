"""Which room an episode takes place in, and what it is about.

iTHOR has 30 rooms of each of four kinds. Of each kind the first 20 are for training, the next 5 for
validation, the last 5 for testing: the split of SAVN (arXiv 1812.00971) and iTHOR's documentation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from envs.schema import SimulationError
from envs.seeds import Split, split_of

# The hundreds of a FloorPlan's number: kitchens are 1-30, living rooms 201-230, and so on.
KINDS: Mapping[str, int] = {"kitchen": 0, "living_room": 200, "bedroom": 300, "bathroom": 400}
NUMBERS: Mapping[Split, range] = {
    "demonstrations": range(1, 21),
    "finetuning": range(1, 21),
    "validation": range(21, 26),
    "test": range(26, 31),
}
# What is looked for in ObjectNav, as SAVN has it; a lamp stands on the desk in AI2-THOR 5.
SOUGHT: Mapping[str, tuple[str, ...]] = {
    "kitchen": ("Toaster", "Microwave", "Fridge", "CoffeeMachine", "GarbageCan", "Box", "Bowl"),
    "living_room": ("Pillow", "Laptop", "Television", "GarbageCan", "Box", "Bowl"),
    "bedroom": ("HousePlant", "DeskLamp", "Book", "AlarmClock"),
    "bathroom": ("Sink", "ToiletPaper", "SoapBottle", "LightSwitch"),
}


def draw_room(seed: int, rng: np.random.Generator) -> tuple[str, str]:
    """Kind of room and scene name; the split of the seed says among which."""
    kind = list(KINDS)[rng.integers(len(KINDS))]
    numbers = NUMBERS[split_of(seed)]
    return kind, f"FloorPlan{KINDS[kind] + numbers[rng.integers(len(numbers))]}"


def candidates(task: str, kind: str, objects: Sequence[Mapping[str, Any]]) -> list[str]:
    """Object types that an episode can be about, sorted. To fetch: what can be picked up and is in
    nothing that opens, for a closed fridge shows nothing."""
    opening = {thing["objectId"] for thing in objects if thing["openable"]}
    if task == "object_nav":
        found = {thing["objectType"] for thing in objects} & {*SOUGHT[kind]}
    else:
        found = {
            thing["objectType"]
            for thing in objects
            if thing["pickupable"] and not opening & {*(thing["parentReceptacles"] or ())}
        }
    if not found:
        raise SimulationError(f"AI2THOR/{task}-v0: this {kind} holds nothing to look for")
    return sorted(found)


def spoken(object_type: str) -> str:
    """``AlarmClock`` -> ``alarm clock``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", object_type).lower()
