"""Rows that were edited in a few columns, or reordered, are copies where what they share is rare."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine

from probes.contamination import Contamination
from probes.contamination.edited_rows import edited_rows
from probes.contamination.reordered_rows import reordered_rows
from probes.measures.embedding import Embedding
from probes.observable import Observation
from tests.probes.contamination.untrained import audit, untrained


def test_rows_that_were_edited_in_one_column_are_found_across_the_split() -> None:
    """A number that was corrected, one that was rounded, and a word that was changed, among rows of which many agree in
    all of their few-valued columns."""
    rng = np.random.default_rng(13)
    words = np.eye(3)[rng.integers(0, 3, 300)]
    rows = np.column_stack([rng.integers(0, 3, (300, 4)), words, rng.normal(size=(300, 5))]).astype(np.float32)
    member = np.arange(300) < 150
    rows[150:156] = rows[:6]
    rows[150:152, 8] += 2
    rows[152:154, 9] = np.round(rows[152:154, 9], 1)
    rows[154:156, 4:7] = np.roll(rows[154:156, 4:7], 1, axis=1)
    result = audit(rows, member, modality="table")
    assert np.flatnonzero(result.per_sample["contaminated"]).tolist() == list(range(150, 156))
    assert result["near_duplicates_across_split"].value == 6


@pytest.mark.parametrize("embedded", [False, True])
def test_rows_that_were_edited_in_several_columns_or_reordered_are_found(embedded: bool) -> None:
    """Up to a quarter of the columns, and all columns in another order; also where the source model's features, which
    such a change moves far, would be compared."""
    rng = np.random.default_rng(15)
    rows = rng.normal(size=(300, 16)).astype(np.float32)
    member = np.arange(300) < 150
    rows[150:156] = rows[:6]
    for row, count in zip(rows[150:154], (2, 3, 4, 4), strict=True):
        row[rng.choice(16, count, replace=False)] = rng.normal(size=count)
    rows[154:156] = rows[154:156][:, rng.permutation(16)]
    given = untrained(rows, member, modality="table")
    if embedded:
        features = rng.normal(size=(300, 8)).astype(np.float32)
        seen = {"source": Observation(samples=np.arange(300), arrays={"embedding": features})}
        given = dataclasses.replace(given, observations={Embedding(): seen})
    result = Contamination()(given, np.random.default_rng(0))
    assert np.flatnonzero(result.per_sample["contaminated"]).tolist() == list(range(150, 156))


def test_a_missing_number_is_a_value_and_negative_zero_is_zero() -> None:
    rows = np.random.default_rng(17).normal(size=(50, 8)).astype(np.float32)
    rows[3, 2], rows[3, 4] = np.nan, 0
    rows[40] = rows[3]
    rows[40, 4] *= -1
    rows[40, 6] += 1
    assert edited_rows(rows).tolist() == [[3, 40]]


def test_dependent_columns_are_no_evidence_of_edited_rows() -> None:
    """Records of one household share seven of fourteen values, or of one patient eleven."""
    rng = np.random.default_rng(16)
    for shared in (7, 11):
        base = np.round(rng.normal(size=(300, shared)), 2)[rng.integers(0, 300, 1000)]
        rows = np.column_stack([base, np.round(rng.normal(size=(1000, 14 - shared)), 2)]).astype(np.float32)
        assert len(edited_rows(rows)) == 0


def test_no_rows_of_real_tables_are_taken_for_edited_or_reordered() -> None:
    for load in (load_iris, load_wine, load_breast_cancer, load_diabetes, load_digits):
        rows = np.unique(load().data.astype(np.float32), axis=0)
        assert len(edited_rows(rows)) == len(reordered_rows(rows)) == 0
    words = np.random.default_rng(14).integers(0, 4, (2000, 6)).astype(np.float32)
    assert len(edited_rows(np.unique(words, axis=0))) == 0
    orders = np.random.default_rng(14).permuted(np.tile(np.arange(12), (1000, 1)), axis=1).astype(np.float32)
    assert len(reordered_rows(orders)) == 0
