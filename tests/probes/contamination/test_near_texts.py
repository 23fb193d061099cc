"""Copies of texts: MinHash against all pairs; what is a copy and what is not; figures again without them."""

from __future__ import annotations

import numpy as np

from probes.contamination import Contamination
from probes.contamination.benchmarks import copies
from probes.contamination.near_texts import ALIKE, SHINGLE, near_texts
from tests.probes.simulated_sequences import evidence
from tests.probes.truth import untrue

WORDS = np.array(
    [
        "the",
        "a",
        "of",
        "to",
        "in",
        "is",
        "was",
        "for",
        "on",
        "with",
        "as",
        "by",
        "that",
        "it",
        "from",
        "at",
        "are",
        "his",
        "her",
        "an",
        "be",
        "this",
        "which",
        "or",
    ]
)


def text(rng: np.random.Generator, length: int = 30) -> str:
    return " ".join(rng.choice(WORDS, length))


def changed(given: str, words: int, rng: np.random.Generator) -> str:
    """With so many of its words replaced."""
    split = given.split()
    for place in rng.choice(len(split), words, replace=False):
        split[place] = "other"
    return " ".join(split)


def shingles(given: str) -> set[str]:
    """Of a text in lower case without punctuation."""
    words = given.split()
    return {" ".join(words[place : place + SHINGLE]) for place in range(max(1, len(words) - SHINGLE + 1))}


def test_minhash_finds_what_comparing_all_pairs_finds() -> None:
    rng = np.random.default_rng(0)
    texts = [text(rng) for _ in range(40)]
    texts += [changed(one, number % 3, rng) for number, one in enumerate(texts)]
    sets = [shingles(one) for one in texts]
    slow = {
        (i, j) for j in range(len(texts)) for i in range(j) if len(sets[i] & sets[j]) >= ALIKE * len(sets[i] | sets[j])
    }
    found = near_texts(texts)
    assert set(zip(found.one.tolist(), found.other.tolist(), strict=True)) == slow
    assert len(slow) > 10


def test_case_space_and_punctuation_make_no_other_text() -> None:
    found = near_texts(["Who is it? It is Ada Byron.", "who is it it is  Ada Byron!", "Who was it?"])
    assert (found.one.tolist(), found.other.tolist(), found.distance.tolist()) == ([0], [1], [0.0])


def test_short_texts_are_copies_only_where_they_are_equal() -> None:
    assert near_texts(["Say yes now please", "Say yes now thanks", "say yes now, please"]).other.tolist() == [2]


def test_texts_of_one_template_are_paired_with_some_of_the_others() -> None:
    """All pairs would be 80,000."""
    template = "your order was sent today and will be with you within three to five working days under the number"
    found = near_texts([f"{template} {number}" for number in range(400)])
    assert len(found.one) <= 25 * 400
    assert np.bincount(np.concatenate([found.one, found.other]), minlength=400).min() >= 16


def test_a_text_of_a_template_is_found_beside_many_others_of_its_own_side() -> None:
    template = "your order was sent today and will be with you within three to five working days under the number"
    texts = [f"{template} {number}" for number in range(400)]
    assert copies([f"{template} none", "another text altogether, of some other words"], texts).all()
    assert not copies(["another text altogether, of some other words"], texts).any()


def test_a_text_without_words_is_a_copy_of_another_such_one_only() -> None:
    found = near_texts(["", "some words of a text that is long enough", "?!"])
    assert list(zip(found.one, found.other, strict=True)) == [(0, 2)]


def test_copies_across_the_split_are_counted_and_figures_given_again_without_them() -> None:
    rng = np.random.default_rng(1)
    given = evidence(0.5)
    members, others = np.flatnonzero(given.pool.member), np.flatnonzero(given.pool.held_out)
    answers = [text(rng) for _ in range(80)]
    for one, other in zip(members[:4], others[:4], strict=True):
        answers[other] = changed(answers[one], 1, rng)
    found = Contamination()(evidence(0.5, answers=tuple(answers), prompts=("",) * 80), np.random.default_rng(0))
    assert found.findings[0].code == "contamination.across-split"
    assert (found["near_duplicates_across_split"].value, found["exact_duplicates_across_split"].value) == (4.0, 0.0)
    assert found["contaminated_share"].counts == (4, 40)
    clean = next(figure for figure in found.figures if figure.name == "clean")
    assert "log loss" in clean.columns["figure"]  # type: ignore[union-attr]
    assert untrue(found) == []


def test_texts_without_copies_are_said_to_have_none() -> None:
    rng = np.random.default_rng(2)
    answers = tuple(text(rng) for _ in range(80))
    found = Contamination()(evidence(0.5, answers=answers), np.random.default_rng(0))
    assert found.findings[0].code == "contamination.none"
    assert [note.code for note in found.notes][:1] == ["contamination.near-texts"]  # type: ignore[union-attr]
