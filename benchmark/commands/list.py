"""List environments (installed or not) and policies."""

from __future__ import annotations

import argparse

from tabulate import tabulate

import policies
from envs import CARDS, installed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    pass


def main(args: argparse.Namespace) -> int:
    rows = [
        [
            card.id,
            "yes" if installed(card.id) else "no",
            card.action.size,
            " ".join(f"{p.name}:{p.horizon}" for p in card.protocols),
            card.expert or "",
            card.description,
        ]
        for card in CARDS.values()
    ]
    headers = ["environment", "installed", "action", "protocol:horizon", "expert", "task"]
    print(tabulate(rows, headers=headers))
    print(f"\npolicies: {', '.join(policies.names())}")
    return 0
