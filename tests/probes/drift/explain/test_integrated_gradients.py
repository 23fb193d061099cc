"""Nodes on a path whose gradient jumps at known places."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from probes.drift.explain import integrated_gradients as path
from probes.drift.explain.integrated_gradients import Nodes, integrate

KINKS = (0.31, 0.74)


def bent(points: Tensor) -> Tensor:
    """Along (t, 2t): slope 1, then 4, then −8; exact attributions are those of each coordinate's own part."""
    first, second = points[:, 0], points[:, 1]
    return first + 3 * torch.relu(first - KINKS[0]) - 6 * torch.relu(second - 2 * KINKS[1])


EXACT = np.array([1 + 3 * (1 - KINKS[0]), -12 * (1 - KINKS[1])])


def along(steps: int, most: int, tolerance: float = 0.0, rows: int = 5, samples: int = 1) -> path.Path:
    end = torch.tensor([[1.0, 2.0]], dtype=torch.float64).repeat(samples, 1)
    return integrate(
        lambda points, _: bent(points), 0 * end, end, steps=steps, tolerance=tolerance, most=most, rows=rows
    )


def test_few_placed_nodes_do_what_many_even_ones_do() -> None:
    placed, even = along(6, 30), along(240, 240)
    assert int(placed.steps[0]) <= 30
    off_placed, off_even = (np.abs(one.attributions[0].numpy() - EXACT).max() for one in (placed, even))
    assert off_placed < off_even < 0.05
    assert off_placed < 0.005


def test_evenly_spread_nodes_are_the_midpoint_rule() -> None:
    places = torch.from_numpy((np.arange(7) + 0.5) / 7)
    points = torch.stack([places, 2 * places], dim=1).requires_grad_()
    (gradients,) = torch.autograd.grad(bent(points).sum(), points)
    wanted = (gradients.mean(dim=0) * torch.tensor([1.0, 2.0])).numpy()
    np.testing.assert_allclose(along(7, 7).attributions[0].numpy(), wanted)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_weights_are_the_lengths_nearest_to_each_node(steps: int) -> None:
    rng = np.random.default_rng(steps)
    places = np.sort(rng.random(steps))
    nodes = Nodes(
        places=places, scores=rng.normal(size=steps), slopes=rng.normal(size=steps), gradients=torch.zeros(steps, 1),
        ends=(0.0, 1.0),
    )  # fmt: skip
    grid = (np.arange(200_000) + 0.5) / 200_000
    nearest = np.abs(grid[:, None] - places).argmin(axis=1)
    np.testing.assert_allclose(nodes.weights, np.bincount(nearest, minlength=steps) / len(grid), atol=2e-5)
    new = nodes.next(most=3)
    assert len(new) == 1
    assert 0 < new[0] < 1


def test_neither_rows_at_once_nor_groups_change_what_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = along(4, 20, samples=6)
    monkeypatch.setattr(path, "KEPT", 1)
    single = along(4, 20, rows=1, samples=6)
    np.testing.assert_allclose(single.attributions, whole.attributions)
    np.testing.assert_array_equal(single.steps, whole.steps)
    assert len(np.unique(whole.steps)) == 1
