"""Task cards that run on SAPIEN 3."""

from __future__ import annotations

from envs.sapien.reach_card import reach_card

CARDS = (reach_card("RoboTwin"),)
