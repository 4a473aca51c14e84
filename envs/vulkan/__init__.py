"""Rendering for SAPIEN: which Vulkan driver works here, and a software driver where none does.

- :func:`prepare` is called before ``import sapien``: it applies what the probe found.
- :func:`envs.vulkan.answers.forget` makes the probe ask anew (``setup rendering``, ``doctor``).
- :mod:`envs.vulkan.lavapipe` installs the software driver below the cache folder, without root
  (``python -m benchmark setup rendering``).
- ``layer.c`` lets SAPIEN 2.x and 3.0.0b1 run on a driver without CUDA.

A Vulkan driver of the machine that works is always used in place of the private one. The
environment variable ``MANIGYM_RENDERING=off`` switches all of this off.
"""

from envs.vulkan.use import prepare

__all__ = ["prepare"]
