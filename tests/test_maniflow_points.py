"""Farthest-point sampling: the package used on a CPU chooses what the plain way chooses."""

import pytest
import torch

from policies.maniflow.points import farthest_points, farthest_points_by_torch

CLOUDS = {
    "spread": lambda n, g: torch.randn(2, n, 3, generator=g),
    "grid": lambda n, g: torch.randint(0, 5, (2, n, 3), generator=g) / 7,
    "repeated": lambda n, g: torch.randn(2, n // 8, 3, generator=g).repeat(1, 8, 1),
    "padded": lambda n, g: torch.cat(
        (torch.randn(2, n // 4, 3, generator=g), torch.zeros(2, n - n // 4, 3)), 1
    ),
}


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize("n", [64, 200, 1024])
def test_both_ways_of_sampling_points_choose_the_same(cloud, n):
    generator = torch.Generator().manual_seed(n)
    for _ in range(5):
        xyz = CLOUDS[cloud](n, generator)
        chosen = farthest_points(xyz, 60)
        assert torch.equal(chosen, farthest_points_by_torch(xyz, 60))
        assert torch.equal(chosen[:1], farthest_points(xyz[:1], 60))
    assert torch.equal(
        farthest_points(xyz.double(), 60), farthest_points_by_torch(xyz.double(), 60)
    )
