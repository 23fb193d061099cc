"""Prompts and answers as one array of token ids."""

from __future__ import annotations

import pytest

from audit.data.sequences import pack, starts
from probes.errors import DataError


def test_only_answers_are_scored_and_padding_never() -> None:
    packed = pack([[1, 2], [3]], [[4], [5, 6, 7]], context=10)
    assert packed.inputs[0].tolist() == [[1, 2, 4, -1], [0, 0, 1, 0]]
    assert packed.inputs[1].tolist() == [[3, 5, 6, 7], [0, 1, 1, 1]]
    assert starts(packed.inputs).tolist() == [0, 1, 4]
    assert not len(packed.cut)


def test_a_text_without_a_prompt_is_scored_from_its_second_token() -> None:
    assert pack([[]], [[4, 5, 6]], context=10).inputs[0, 1].tolist() == [0, 1, 1]


def test_what_is_longer_than_the_context_is_cut_and_counted() -> None:
    packed = pack([[1], [1]], [[2, 3, 4], [2]], context=3)
    assert packed.inputs.shape[2] == 3
    assert packed.cut.tolist() == [0]


@pytest.mark.parametrize(
    ("prompts", "answers", "said"),
    [
        ([[1]], [[]], "sample 0 has an empty answer"),
        ([[1, 2, 3]], [[4]], "sample 0 has 3 prompt tokens, and the model reads 3 tokens"),
        ([[]], [[4]], "sample 0 has 0 prompt tokens"),
        ([[1]], [[2], [3]], "1 prompts but 2 answers"),
    ],
)
def test_what_leaves_nothing_to_score_is_refused(prompts: list, answers: list, said: str) -> None:
    with pytest.raises(DataError, match=said):
        pack(prompts, answers, context=3)
