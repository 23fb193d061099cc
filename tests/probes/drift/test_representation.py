"""Representations are seen in one pass, and are those of separate ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from audit.models.graph_rewrite import embedding, prepare
from probes.drift.observables.representation import BATCH, Representation
from probes.observable import Subject
from tests.probes.drift.networks import CLASSES, images


@pytest.mark.parametrize("pooled", [False, True])
def test_one_pass_gives_what_separate_passes_give(pooled: bool) -> None:
    """`pooled`: a head that is a convolution, so that the embedding's network is a copy with other modules."""
    torch.manual_seed(0)
    ends = (nn.Conv2d(8, CLASSES, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    head = ends if pooled else (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, CLASSES))
    plain = nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 8, 3), nn.ReLU(), *head).eval()
    inputs = images(2 * BATCH + 5)
    network = prepare(plain, inputs[:2]).eval().requires_grad_(False)
    embed = embedding(network, "5" if pooled else "7")
    subject = Subject(name="audited", role="audited", network=network, embed=embed, same_labels=True)
    passed = 0

    def count(module: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        nonlocal passed
        passed += len(given[0])

    first = network.get_submodule("0")
    handle = first.register_forward_pre_hook(count)
    found = Representation(layers=8)(
        subject, inputs, torch.zeros(len(inputs), dtype=torch.int64), np.random.default_rng(0)
    )
    handle.remove()
    assert passed <= len(inputs) + 4

    order = np.random.default_rng(0).permutation(len(inputs))
    at = inputs
    grams = []
    for name in ("0", "1", "2", "3"):
        at = network.get_submodule(name)(at)
        if name != "2":
            rows = at[torch.from_numpy(order)][: 2 * BATCH].flatten(1).double().view(2, BATCH, -1)
            rows = rows - rows.mean(dim=1, keepdim=True)
            grams.append((rows @ rows.mT).numpy())
    wanted = np.stack(grams)
    np.testing.assert_allclose(found["gram"], wanted, atol=1e-6 * np.abs(wanted).max())
    with torch.no_grad():
        embedded = embed(inputs).flatten(1).numpy()
    np.testing.assert_allclose(found["embedding"], embedded, atol=1e-6 * np.abs(embedded).max())
