"""Answers of language models: what is kept of a forward pass, and how probes of single samples see it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from probes.answers import answers_of_tokens
from probes.errors import EvidenceError, NonFiniteError
from probes.sequences import Sequences, TokenAnswers, token_answers

RNG = np.random.default_rng(5)
LOGITS = RNG.normal(0, 2, (9, 6))
TOKENS = RNG.integers(0, 6, 9)
START = np.array([0, 1, 4, 9])


def test_moments_are_those_of_the_vocabulary_under_the_model() -> None:
    found = token_answers(LOGITS, TOKENS, START)
    for i, row in enumerate(LOGITS):
        p = np.exp(row) / np.exp(row).sum()
        assert found.log_prob[0, i] == pytest.approx(np.log(p[TOKENS[i]]), abs=1e-5)
        assert -found.mean[0, i] == pytest.approx(stats.entropy(p), abs=1e-5)
        assert found.deviation[0, i] == pytest.approx(
            np.sqrt(np.average((np.log(p) + stats.entropy(p)) ** 2, weights=p)), abs=1e-5
        )
        assert found.rank[0, i] == (p > p[TOKENS[i]]).sum()
        assert found.top[0, i] == pytest.approx(np.log(p.max()), abs=1e-5)


def test_greedy_means_that_every_token_is_the_likeliest() -> None:
    tokens = LOGITS.argmax(axis=1)
    tokens[2] = (tokens[2] + 1) % 6
    assert token_answers(LOGITS, tokens, START).greedy.tolist() == [[True, False, True]]


def test_a_sequence_is_a_sample_with_the_mean_loss_of_its_tokens() -> None:
    tokens = token_answers(LOGITS, TOKENS, START)
    seen = answers_of_tokens(tokens)
    loss = [-tokens.log_prob[0, a:b].mean() for a, b in itertools.pairwise(START)]
    assert -seen.log_prob[0] == pytest.approx(loss, abs=1e-5)
    p = np.exp(seen.log_prob[0].astype(float))
    assert seen.margin[0] == pytest.approx(np.log(p / (1 - p)), abs=1e-4)


def test_a_choice_of_sequences_keeps_their_tokens_together() -> None:
    tokens = token_answers(LOGITS, TOKENS, START)
    some = tokens.on(np.array([2, 0]))
    assert some.counts.tolist() == [5, 1]
    assert some.log_prob[0].tolist() == [*tokens.log_prob[0, 4:9], tokens.log_prob[0, 0]]


def test_a_sequence_without_an_answer_is_refused() -> None:
    with pytest.raises(EvidenceError, match="sequence 1 has no answer token"):
        token_answers(LOGITS, TOKENS, np.array([0, 4, 4, 9]))
    with pytest.raises(EvidenceError, match="0 to 9 tokens"):
        token_answers(LOGITS, TOKENS, np.array([0, 4]))
    broken = token_answers(LOGITS, TOKENS, START)
    with pytest.raises(NonFiniteError, match="top"):
        TokenAnswers(
            start=broken.start,
            log_prob=broken.log_prob,
            top=np.full_like(broken.top, np.nan),
            mean=broken.mean,
            deviation=broken.deviation,
            rank=broken.rank,
        )


def test_all_answers_are_about_the_same_sequences() -> None:
    tokens = token_answers(LOGITS, TOKENS, START)
    whole = Sequences(own=tokens, base=tokens, prompts=("", "a", "b"), answers=("x", "y", "z"))
    some = whole.on(np.array([2]))
    assert (some.answers, some.own.counts.tolist(), some.replicas) == (("z",), [5], None)
    with pytest.raises(EvidenceError, match="base has 1 sequences, answers has 3"):
        Sequences(own=tokens, base=tokens.on(np.array([0])), prompts=("",) * 3, answers=("",) * 3)
