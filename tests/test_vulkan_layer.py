"""The Vulkan layer in a chain of its own, and how libraries that the system lacks are loaded."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from envs.cache import cache_folder
from envs.vulkan import lavapipe

COMPILER = shutil.which("cc")
compiles = pytest.mark.skipif(COMPILER is None, reason="no C compiler")

# Stands in for loader and driver: the driver offers VK_A and VK_B.
LAYER_CHECK = r"""
#include LAYER
#include <stdio.h>
static struct { void *table; } instance_object = {&instance_object};
static struct { void *table; } device_object = {&device_object};
static VkDeviceCreateInfo received;
static char names[4][32];
static VkResult VKAPI_CALL make_instance(const VkInstanceCreateInfo *i,
    const VkAllocationCallbacks *a, VkInstance *out) {
  *out = (VkInstance)&instance_object; return 0; }
static VkResult VKAPI_CALL list(VkPhysicalDevice d, const char *l, uint32_t *n,
    VkExtensionProperties *p) {
  if (p) { strcpy(p[0].extensionName, "VK_A"); strcpy(p[1].extensionName, "VK_B"); }
  *n = 2; return 0; }
static VkResult VKAPI_CALL make_device(VkPhysicalDevice d, const VkDeviceCreateInfo *i,
    const VkAllocationCallbacks *a, VkDevice *out) {
  received = *i;
  for (uint32_t k = 0; k < i->enabledExtensionCount; k++)
    strcpy(names[k], i->ppEnabledExtensionNames[k]);
  *out = (VkDevice)&device_object; return 0; }
static PFN_vkVoidFunction VKAPI_CALL next_proc(VkInstance i, const char *name) {
  OURS("vkCreateInstance", make_instance);
  OURS("vkEnumerateDeviceExtensionProperties", list);
  OURS("vkCreateDevice", make_device);
  return NULL; }
static PFN_vkVoidFunction VKAPI_CALL next_device_proc(VkDevice d, const char *name) {
  return (PFN_vkVoidFunction)make_device; }
int main(void) {
  VkNegotiateLayerInterface agreed = {.loaderLayerInterfaceVersion = 7};
  vkNegotiateLoaderLayerInterfaceVersion(&agreed);
  VkLayerInstanceLink link = {.pfnNextGetInstanceProcAddr = next_proc};
  VkLayerInstanceCreateInfo chain = {.sType = VK_STRUCTURE_TYPE_LOADER_INSTANCE_CREATE_INFO,
    .function = VK_LAYER_LINK_INFO, .u.pLayerInfo = &link};
  VkInstanceCreateInfo instance_info = {.pNext = &chain};
  VkInstance instance; VkDevice device;
  int bad = ((PFN_vkCreateInstance)agreed.pfnGetInstanceProcAddr(NULL, "vkCreateInstance"))(
      &instance_info, NULL, &instance);
  VkLayerDeviceLink device_link = {.pfnNextGetInstanceProcAddr = next_proc,
    .pfnNextGetDeviceProcAddr = next_device_proc};
  VkLayerDeviceCreateInfo device_chain = {.sType = VK_STRUCTURE_TYPE_LOADER_DEVICE_CREATE_INFO,
    .function = VK_LAYER_LINK_INFO, .u.pLayerInfo = &device_link};
  const char *wanted[] = {"VK_B", "VK_CUDA", "VK_A"};
  VkDeviceCreateInfo info = {.pNext = &device_chain, .enabledExtensionCount = 3,
    .ppEnabledExtensionNames = wanted};
  bad |= ((PFN_vkCreateDevice)agreed.pfnGetInstanceProcAddr(instance, "vkCreateDevice"))(
      (VkPhysicalDevice)&instance_object, &info, NULL, &device);
  int passed_on = agreed.pfnGetDeviceProcAddr(device, "vkOther") == (PFN_vkVoidFunction)make_device;
  printf("%d %d %u %s %s %d %d", bad, agreed.loaderLayerInterfaceVersion,
    received.enabledExtensionCount, names[0], names[1], passed_on, info.enabledExtensionCount);
  return 0; }
"""


def _headers() -> Path | None:
    private = lavapipe.installed(cache_folder())
    folders = [Path("/usr/include"), *([private.folder / "include"] if private else [])]
    return next((f for f in folders if (f / "vulkan/vk_layer.h").exists()), None)


@compiles
@pytest.mark.skipif(_headers() is None, reason="no Vulkan headers (benchmark setup rendering)")
def test_the_layer_drops_what_the_driver_lacks(tmp_path: Path) -> None:
    source = tmp_path / "check.c"
    source.write_text(LAYER_CHECK)
    options = ("-Wall", "-Werror", "-I", str(_headers()), f'-DLAYER="{lavapipe.LAYER_SOURCE}"')
    subprocess.run((COMPILER, *options, str(source), "-o", str(tmp_path / "check")), check=True)
    answer = subprocess.run((str(tmp_path / "check"),), capture_output=True, text=True, check=True)
    assert answer.stdout == "0 2 2 VK_B VK_A 1 3"


@compiles
def test_missing_libraries_are_loaded_from_their_path(tmp_path: Path) -> None:
    library = tmp_path / "libmanigym_test.so.1"
    (tmp_path / "a.c").write_text("int answer(void) { return 42; }\n")
    soname = f"-Wl,-soname,{library.name}"
    command = (COMPILER, "-shared", "-fPIC", soname, str(tmp_path / "a.c"), "-o", str(library))
    subprocess.run(command, check=True)
    script = (
        "import ctypes, sys; from envs.vulkan.red_box import load_missing\n"
        "path, name = sys.argv[1:]\n"
        "print(load_missing([path]) == [path], load_missing([path, '/x/libc.so.6']))\n"
        "print(ctypes.CDLL(name).answer())\n"
    )
    command = (sys.executable, "-c", script, str(library), library.name)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["True []", "42"]
