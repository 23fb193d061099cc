"""Folds of data with an order are stretches of time."""

from __future__ import annotations

import numpy as np

from probes.plan import Splits
from tests.probes.overfitting.trained import make_pool


def test_folds_of_ordered_data_are_stretches_of_time() -> None:
    rng = np.random.default_rng(0)
    times = rng.permutation(120)
    pool = make_pool(rng.integers(0, 3, 120), 90, 30, rng, times=times)
    rows = list(Splits(repeats=3).rows(pool, rng))
    assert len(rows) == 12
    for row in rows:
        out = np.sort(times[~row.keep])
        assert len(out) == 30
        # One stretch of a ring: at most one gap.
        assert (np.diff(out) > 1).sum() <= 1
    masks = np.array([row.keep for row in rows]).reshape(3, 4, -1)
    assert ((~masks).sum(axis=1) == 1).all()
    assert not np.array_equal(masks[0], masks[1])


def test_groups_come_before_time() -> None:
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(20), 6)
    pool = make_pool(rng.integers(0, 2, 120), 90, 30, rng, times=np.arange(120), groups=groups)
    for row in Splits(repeats=1).rows(pool, rng):
        assert not set(groups[row.keep]) & set(groups[~row.keep])
