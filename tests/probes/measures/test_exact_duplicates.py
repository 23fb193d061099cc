"""Equal samples have equal numbers, whatever they are made of."""

from __future__ import annotations

import numpy as np
import pytest

from probes.measures.exact_duplicates import content, exact_pairs, repeated


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.int64, np.uint8, np.bool_, np.str_, object])
@pytest.mark.parametrize("shape", [(), (3,), (2, 2, 1)])
def test_numbers_are_those_of_first_equals(kind: type, shape: tuple[int, ...]) -> None:
    samples = np.random.default_rng(0).integers(0, 2, (40, *shape)).astype(kind)
    rows = samples.tolist()
    first = [rows.index(row) for row in rows]
    known = sorted(set(first))
    assert content(samples).tolist() == [known.index(one) for one in first]
    assert repeated(content(samples)).tolist() == [rows.count(row) > 1 for row in rows]
    assert exact_pairs(content(samples)).tolist() == [[one, i] for i, one in enumerate(first) if one != i]


def test_there_is_one_zero_and_one_missing_number_also_in_rows_of_unequal_lengths() -> None:
    rows = [[0.0, np.nan], [-0.0, -np.nan], [0.0], [-0.0], [1.0]]
    ragged = np.empty(len(rows), dtype=object)
    ragged[:] = [np.array(row) for row in rows]
    assert content(np.array(rows[:2])).tolist() == [0, 0]
    assert content(ragged).tolist() == [0, 0, 1, 1, 2]
