"""Rows that are equal but for one column are copies where what they share is rare."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine

from probes.contamination.edited_rows import edited_rows
from tests.probes.contamination.untrained import audit


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


def test_no_rows_of_real_tables_are_taken_for_edited() -> None:
    for load in (load_iris, load_wine, load_breast_cancer, load_diabetes):
        assert len(edited_rows(np.unique(load().data.astype(np.float32), axis=0))) == 0
    words = np.random.default_rng(14).integers(0, 4, (2000, 6)).astype(np.float32)
    assert len(edited_rows(np.unique(words, axis=0))) == 0
