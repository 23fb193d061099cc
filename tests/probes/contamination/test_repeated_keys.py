"""Places of repeated keys, against numpy's order of all of them."""

from __future__ import annotations

import numpy as np
import pytest

from probes.contamination.repeated_keys import repeated_places, run_lengths


@pytest.mark.parametrize("samples", [0, 1, 2, 64, 65, 1000])
@pytest.mark.parametrize("most", [1, 6, 1000, 2**64])
def test_places_and_lengths_of_runs_are_those_of_an_order_of_all_keys(samples: int, most: int) -> None:
    """Small keys agree in all bits but the lowest, which their places take."""
    keys = np.random.default_rng(samples).integers(most, size=samples, dtype=np.uint64)
    _, own, count = np.unique(keys, return_inverse=True, return_counts=True)
    order = np.argsort(keys, kind="stable")
    slow = order[count[own[order]] > 1]
    assert repeated_places(keys).tolist() == slow.tolist()
    assert run_lengths(keys[order]).tolist() == count[own[order]].tolist()
