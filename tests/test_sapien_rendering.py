"""SAPIEN draws in this process, with whatever Vulkan driver there is.

Skipped without SAPIEN, and where nothing renders (``python -m benchmark setup rendering``).
"""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from envs.schema import ManigymError
from envs.vulkan import prepare
from envs.vulkan.probe import Rendering
from envs.vulkan.red_box import SIZE

if find_spec("sapien") is None:
    pytest.skip("SAPIEN is not installed", allow_module_level=True)

# SAPIEN 2 reads its resources with setuptools' pkg_resources.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*pkg_resources", "ignore:Deprecated call to `pkg_resources"
)


@pytest.fixture
def rendering() -> Rendering:
    """What renders here; the test is skipped where nothing does."""
    try:
        found = prepare()
    except ManigymError as error:
        pytest.skip(str(error))
    if not found.ok:
        pytest.skip(found.reason)
    return found


DRAW = """
import sys, numpy
from envs.vulkan import prepare
prepare()
from envs.vulkan.red_box import picture
colour, device = picture(sys.argv[1])
numpy.save(sys.argv[2], colour)
print(device)
"""


def test_a_red_box_is_red(rendering: Rendering, tmp_path: Path) -> None:
    """In a process of its own: SAPIEN 2 does not survive two renderers in one."""
    command = [sys.executable, "-W", "ignore", "-c", DRAW]
    file = tmp_path / "box.npy"
    done = subprocess.run(
        [*command, version("sapien"), file], capture_output=True, text=True, check=True
    )
    colour = np.load(file)
    assert colour.shape == (SIZE, SIZE, 4)
    assert done.stdout.strip() == rendering.device
    red = (colour[..., 0] > 0.9) & (colour[..., 1:3] < 0.1).all(axis=-1)
    # Half size 0.2 m, near face 1.0 m away, vertical field of view 1 rad: the face covers
    # 0.2 / (1.0 * tan(0.5)) = 0.366 of each half side, 23.4 of 64 pixels.
    assert abs(red.any(axis=0).sum() - 23.4) < 1.5
    assert abs(red.any(axis=1).sum() - 23.4) < 1.5
    assert red[SIZE // 2, SIZE // 2] and not red[:16].any()


def test_prepare_is_idempotent(rendering: Rendering) -> None:
    assert prepare() is rendering
