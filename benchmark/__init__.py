"""Manigym's harness: collect, train, run, compare. ``python -m benchmark --help``."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("manigym")
except PackageNotFoundError:  # a bare checkout on PYTHONPATH
    __version__ = "0+uninstalled"
