"""Demonstrations on disk: the store, its splits and windows, and robomimic HDF5 in and out."""
