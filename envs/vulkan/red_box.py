"""Draw a red box with SAPIEN and say, in JSON lines on stdout, how far that got.

Run as a program by the interpreter in question (``red_box.py VERSION LIBRARY...``), because a
driver that does not work can end the whole process. Needs nothing but numpy and SAPIEN.

Lines: ``{"libraries": [...]}`` private libraries that were loaded, ``{"imported": true}``,
``{"device": name}``, ``{"picture": true | false}`` whether the box is where it must be.
"""

from __future__ import annotations

import ctypes
import json
import resource
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

SIZE = 64  # pixels per side


def picture(version: str) -> tuple[np.ndarray, str]:
    """Colour float32 (64, 64, 4) of a red box before an empty background, and the device's name.

    The unlit shader ``trivial`` draws it: the first lit picture of a process takes seconds.
    """
    return _picture2() if version.startswith("2.") else _picture3()


def box_is_red(colour: np.ndarray) -> bool:
    """Whether the centre of the picture is red and its corner is not."""
    centre, corner = colour[SIZE // 2, SIZE // 2, :3], colour[2, 2, :3]
    return bool(np.allclose(centre, [1, 0, 0], atol=0.1) and not np.allclose(corner, centre))


def _picture2() -> tuple[np.ndarray, str]:
    import sapien.core as sapien

    engine = sapien.Engine()
    renderer = sapien.SapienRenderer(offscreen_only=True)
    engine.set_renderer(renderer)
    sapien.render_config.camera_shader_dir = "trivial"
    scene = engine.create_scene()
    builder = scene.create_actor_builder()
    builder.add_box_visual(half_size=[0.2, 0.2, 0.2], color=[1.0, 0.0, 0.0])
    builder.build_static("box")
    camera = scene.add_camera("camera", SIZE, SIZE, 1.0, 0.01, 10.0)
    camera.set_pose(sapien.Pose([-1.2, 0.0, 0.0]))
    scene.update_render()
    camera.take_picture()
    return np.array(camera.get_float_texture("Color")), _first_device()


def _picture3() -> tuple[np.ndarray, str]:
    import sapien

    sapien.render.set_camera_shader_dir("trivial")
    scene = sapien.Scene()
    builder = scene.create_actor_builder()
    builder.add_box_visual(half_size=[0.2, 0.2, 0.2], material=[1.0, 0.0, 0.0])
    builder.build_static(name="box")
    camera = scene.add_camera("camera", SIZE, SIZE, 1.0, 0.01, 10.0)
    camera.entity.set_pose(sapien.Pose([-1.2, 0.0, 0.0]))
    scene.update_render()
    camera.take_picture()
    return np.array(camera.get_picture("Color")), str(scene.render_system.device.name)


def _first_device() -> str:
    """Name of the first Vulkan device; SAPIEN 2 does not tell which one it took."""
    vulkan = ctypes.CDLL("libvulkan.so.1")
    # VkInstanceCreateInfo, all zero but for its type, which is 1.
    create_info = (ctypes.c_uint64 * 8)(1)
    instance, device, count = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_uint32(1)
    vulkan.vkCreateInstance(create_info, None, ctypes.byref(instance))
    vulkan.vkEnumeratePhysicalDevices(instance, ctypes.byref(count), ctypes.byref(device))
    # VkPhysicalDeviceProperties (824 bytes): five 32-bit numbers, then the name.
    properties = ctypes.create_string_buffer(1024)
    vulkan.vkGetPhysicalDeviceProperties(device, properties)
    vulkan.vkDestroyInstance(instance, None)
    return properties.raw[20:].split(b"\0", 1)[0].decode()


def load_missing(libraries: list[str]) -> list[str]:
    """Load each library that the system does not have from its path; returns those paths.

    A shared library that is loaded satisfies every later request for its name.
    """
    loaded = []
    for path in libraries:
        try:
            ctypes.CDLL(Path(path).name)
        except OSError:
            ctypes.CDLL(path)
            loaded.append(path)
    return loaded


def _say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


def main(version: str, *libraries: str) -> None:
    """Report step by step, so that a crash tells where it happened."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _say(libraries=load_missing(list(libraries)))
    import_module("sapien.core" if version.startswith("2.") else "sapien")
    _say(imported=True)
    colour, device = picture(version)
    _say(device=device, picture=box_is_red(colour))


if __name__ == "__main__":
    main(*sys.argv[1:])
