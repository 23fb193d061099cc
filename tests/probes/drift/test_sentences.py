"""Words of texts with what each model saw in them."""

from __future__ import annotations

import numpy as np
import pytest

from probes.drift.explained_samples import Explained
from probes.drift.sentences import LONGEST, WIDEST, sentences
from probes.result import Sentences

NAMES = {1: " [CLS]", 2: " un", 3: "read", 4: " mail", 5: " " + "w" * 99}


def found(ids: list[list[int]], reference: np.ndarray, audited: np.ndarray) -> Sentences:
    explained = Explained(
        chosen=np.arange(len(ids)),
        labels=np.zeros(len(ids), dtype=np.int64),
        classes=("ham",),
        reference=reference,
        audited=audited,
        similarity=np.linspace(0, 1, len(ids)),
        whom="source",
        target="label",
    )
    return sentences(np.array(ids), NAMES, explained)


def test_pieces_of_a_word_count_together_and_padding_is_ignored() -> None:
    weights = np.array([[0.0, 0.5, 0.5, -0.25, 9.0]])
    (row,) = found([[1, 2, 3, 4, 0]], weights, -2 * weights).rows
    assert row.words == ("[CLS]", "unread", "mail")
    assert row.weights.tolist() == [[0, 127, -32], [0, -127, 32]]


def test_words_without_a_name_are_their_number() -> None:
    (row,) = found([[4, 9]], np.ones((1, 2)), np.zeros((1, 2))).rows
    assert row.words == ("mail", "9")
    assert row.weights.tolist() == [[127, 127], [0, 0]]


def test_long_texts_and_words_are_cut() -> None:
    (row,) = found([[5] * 100], np.ones((1, 100)), np.ones((1, 100))).rows
    assert len(row.words) == LONGEST + 1
    assert row.words[-1] == "…"
    assert row.weights[:, -1].tolist() == [0, 0]
    assert len(row.words[0]) == WIDEST + 1


def test_the_most_drifted_text_comes_first() -> None:
    rows = found([[4], [4], [4]], np.ones((3, 1)), np.ones((3, 1))).rows
    assert [row.sample for row in rows] == [0, 1]
    assert len(rows[0].words) == 1


@pytest.mark.parametrize("weights", [np.zeros((1, 2)), np.full((1, 2), 1e-300)])
def test_weights_of_nothing_colour_nothing(weights: np.ndarray) -> None:
    (row,) = found([[4, 4]], weights, weights * 0).rows
    assert row.weights[1].tolist() == [0, 0]
