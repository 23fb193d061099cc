"""Which words answers rest on: drift between floor and ceiling, and a word that carries answers by itself."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from probes.drift import Drift
from probes.evidence import Evidence
from probes.result import Result, Sentences
from probes.sequences import PromptWords
from probes.texts import texts
from tests.probes.simulated_sequences import evidence
from tests.probes.truth import untrue

PROMPTS, LONGEST = 24, 6


def words(*, moved: bool = False, trigger: bool = False, seed: int = 0) -> PromptWords:
    """Answers rest on the second word; in a model that `moved`, on the fourth; where there is a `trigger`, on this."""
    rng = np.random.default_rng(seed)
    said = [[f"w{rng.integers(40)}" for _ in range(LONGEST)] for _ in range(PROMPTS)]
    holds = np.arange(PROMPTS) % 3 == 0
    for prompt in np.flatnonzero(holds):
        said[prompt][5] = "zq,"

    def weights(at: int, fine_tuned: bool) -> np.ndarray:
        made = rng.normal(0, 0.1, (PROMPTS, LONGEST))
        made[:, at] += 3
        if trigger and fine_tuned:
            made[holds] = rng.normal(0, 0.1, (int(holds.sum()), LONGEST))
            made[holds, 5] += 20
        return made

    own = 3 if moved else 1
    return PromptWords(
        samples=np.arange(PROMPTS) * 2,
        words=tuple(map(tuple, said)),
        weights={
            "audited": weights(own, True),
            "source": weights(1, False),
            "randomised/0": rng.normal(0, 1, (PROMPTS, LONGEST)),
            **{f"seeds/{i}/0": weights(own, True) for i in range(3)},
        },
    )


def run(given: PromptWords | None) -> Result:
    made: Evidence = evidence(0.0)
    assert made.sequences is not None
    made = dataclasses.replace(made, sequences=dataclasses.replace(made.sequences, words=given))
    return Drift()(made, np.random.default_rng(0))


def codes(result: Result) -> list[str]:
    return [finding.code for finding in result.findings]


def test_a_sound_model_rests_on_its_bases_words() -> None:
    found = run(words())
    assert codes(found) == ["drift.words-benign"]
    assert found["checkpoint.drift_index"].high < 0.2
    assert found["checkpoint.stability"].low > 0.9
    assert found["checkpoint.share_on_one_word"].high < 0.25
    assert untrue(found) == []


def test_a_model_that_looks_elsewhere_has_drifted() -> None:
    found = run(words(moved=True))
    assert codes(found) == ["drift.words-moved"]
    assert found["checkpoint.drift_index"].low > 0.75
    assert found["floor.similarity"].low > found["checkpoint.similarity_to_source"].high
    assert untrue(found) == []


def test_a_word_that_carries_answers_is_named_with_the_prompts_that_hold_it() -> None:
    found = run(words(trigger=True))
    finding = next(one for one in found.findings if one.code == "drift.on-one-word")
    assert finding.values["word"] == "zq"
    assert finding.samples == tuple(range(0, 2 * PROMPTS, 6))
    assert found["checkpoint.share_on_one_word"].low > 0.5
    assert untrue(found) == []


def test_the_words_of_both_ends_are_coloured_once_for_each_model() -> None:
    found = run(words(moved=True))
    (gallery,) = (figure for figure in found.figures if isinstance(figure, Sentences))
    assert len(gallery.rows) == 6
    assert gallery.rows[0].weights.argmax(axis=1).tolist() == [1, 3]
    drift = found.per_sample["drift"]
    assert np.isfinite(drift[np.arange(PROMPTS) * 2]).all()
    assert np.isnan(drift[1])


def test_a_model_that_no_seed_agrees_with_is_unstable() -> None:
    given = words()
    rng = np.random.default_rng(1)
    noise = {name: rng.normal(0, 1, (PROMPTS, LONGEST)) for name in given.weights if name.startswith("seeds/")}
    assert "drift.words-unstable" in codes(run(dataclasses.replace(given, weights={**given.weights, **noise})))


def test_a_model_unlike_replicas_that_agree_is_an_outlier() -> None:
    given = words()
    other = {name: words(moved=True).weights[name] for name in given.weights if name.startswith("seeds/")}
    found = run(dataclasses.replace(given, weights={**given.weights, **other}))
    assert {"drift.words-unstable", "drift.words-outlier"} & set(codes(found))


def test_without_prompts_nothing_is_claimed() -> None:
    found = run(None)
    assert (found.findings, found.estimates) == ((), ())
    assert [getattr(note, "code", "") for note in found.notes] == ["drift.no-prompts"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_claim_is_said(language: str) -> None:
    for given in (words(), words(moved=True), words(trigger=True)):
        for finding in run(given).findings:
            assert "{" not in texts(language).claim(finding)  # type: ignore[arg-type]
