"""Manigym's harness: collect, train, run, compare. ``python -m benchmark --help``."""

from importlib.metadata import version

__version__ = version("manigym")
