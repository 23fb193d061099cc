"""Answers of models that were tried: of all samples or the held-out ones, as classes or outputs, or one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from audit.checkpoints.tried_models import read_tried, tried_of
from probes.errors import DataError, InputError
from probes.plan import Pool


def pool() -> Pool:
    labels, held_out = np.array([0, 1, 2, 0, 1, 2]), np.arange(6) >= 3
    return Pool(labels=labels, member=~held_out, held_out=held_out, validation=np.zeros(6, dtype=bool))


def test_all_samples_or_the_held_out_ones_say_the_same() -> None:
    everywhere = tried_of(np.array([[0, 1, 2, 0, 1, 0], [1, 1, 1, 2, 1, 2]]), pool(), 3)
    assert everywhere[:, 3:].tolist() == [[True, True, False], [False, True, True]]
    held_out = tried_of(np.array([[0, 1, 0], [2, 1, 2]]), pool(), 3)
    assert held_out[:, 3:].tolist() == everywhere[:, 3:].tolist()


def test_outputs_count_by_their_largest(tmp_path: Path) -> None:
    outputs = np.eye(3)[np.array([[0, 1, 2], [2, 2, 2]])]
    np.savez(tmp_path / "tried.npz", logits=outputs)
    assert read_tried(tmp_path / "tried.npz", pool(), 3)[:, 3:].tolist() == [[True, True, True], [False, False, True]]


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (np.zeros((2, 4), dtype=np.int64), "answers are of 4 samples, the data has 6, 3 of them held out"),
        (np.zeros((2, 3)), r"answers are float64 of shape \(2, 3\)"),
        (np.full((2, 3, 3), np.nan), "NaN or infinite"),
        (np.zeros((2, 3, 4)), r"shape \(2, 3, 4\)"),
        (np.zeros((0, 3), dtype=np.int64), r"shape \(0, 3\)"),
    ],
)
def test_answers_that_do_not_fit_are_one_line(answers: np.ndarray, said: str) -> None:
    with pytest.raises(DataError, match=said):
        tried_of(answers, pool(), 3)


def test_a_file_without_answers_or_none_at_all_is_one_line(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", weights=np.zeros(3))
    with pytest.raises(DataError, match="holds weights, and no answers"):
        read_tried(tmp_path / "other.npz", pool(), 3)
    with pytest.raises(InputError, match="no such file"):
        read_tried(tmp_path / "gone.npz", pool(), 3)
