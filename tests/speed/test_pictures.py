"""Time of one look through a task's cameras, by render profile (``--benchmark-enable``)."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import INSTALLED, needs_gl

from envs.make import make_env


@needs_gl
@pytest.mark.parametrize("profile", ["fast", "upstream"])
@pytest.mark.parametrize("env_id", INSTALLED)
def test_a_look(env_id: str, profile: str, benchmark: Any) -> None:
    """All cameras of the card, at its own picture size."""
    env = make_env(env_id, {"observations": ("rgb",), "render_profile": profile})
    env.reset(seed=0)
    benchmark.group = f"pictures of {env_id} ({len(env.cameras)} cameras)"
    seen = benchmark.pedantic(env.observe, rounds=15, warmup_rounds=2)
    assert seen["rgb"].keys() == set(env.cameras)
    env.close()
