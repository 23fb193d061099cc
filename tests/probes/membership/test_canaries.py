"""Exposure against its definition and its closed form; ε of a record from groups of copies; the findings."""

from __future__ import annotations

import math

import numpy as np
import pytest

from probes.errors import EvidenceError
from probes.evidence import Canaries
from probes.membership.canaries import UNSEEN, canaries_part, exposure
from probes.membership.epsilon_bounds import epsilon_one_run
from probes.membership.epsilon_section import canary_bound, of_a_record


def slowly(score: float, references: list[float]) -> float:
    """Carlini et al. 2019, definition 2: log2 |R| − log2 rank, the canary one of R."""
    everything = sorted([*references, score], reverse=True)
    rank = max(place for place, one in enumerate(everything, start=1) if one == score)
    return math.log2(len(everything)) - math.log2(rank)


def test_exposure_is_its_definition() -> None:
    rng = np.random.default_rng(0)
    references, score = rng.integers(0, 9, 40).astype(float), rng.integers(-1, 11, 30).astype(float)
    expected = [slowly(one, references.tolist()) for one in score]
    assert exposure(score, references) == pytest.approx(expected)


def test_exposure_nears_its_closed_form() -> None:
    """Of a score x among standard normal ones: −log2 P[X ≥ x]."""
    rng = np.random.default_rng(0)
    found = exposure(np.array([0.0, 1.0, 2.0]), rng.normal(size=200_000))
    assert found == pytest.approx([1.0, 2.6560, 5.4580], abs=0.03)


def test_what_no_training_held_has_the_mean_of_an_exponential() -> None:
    rng = np.random.default_rng(0)
    assert exposure(rng.normal(size=4000), rng.normal(size=4000)).mean() == pytest.approx(UNSEEN, abs=0.06)


def test_exposure_needs_references() -> None:
    with pytest.raises(EvidenceError, match="at least one reference"):
        exposure(np.zeros(2), np.zeros(0))


def planted(gain: float, *, copies: tuple[int, ...] = (1, 4), each: int = 40, seed: int = 0) -> Canaries:
    """Included canaries score `gain` deviations more a copy."""
    rng = np.random.default_rng(seed)
    number = np.repeat(copies, each)
    included = rng.random(len(number)) < 0.5
    score = rng.normal(size=len(number)) + gain * included * number
    return Canaries(included=included, score=score, copies=number, references=rng.normal(size=200))


def test_the_fewest_copies_that_are_remembered_are_named() -> None:
    part = canaries_part(planted(0.6, copies=(1, 4, 16)), 0.95)
    assert part.findings[0].code == "membership.canaries-remembered"
    assert part.findings[0].values["copies"] in (1, 4)
    bits = [one.value for one in part.estimates if one.name.startswith("exposure_bits.")]
    assert bits == sorted(bits)
    assert all(one.low <= one.value <= one.high for one in part.estimates)


def test_quiet_models_are_rarely_accused() -> None:
    """At 95 % and two-sided intervals: 1 of 40 may be, and at most 4 are with probability 99.7 %."""
    accused = sum(
        canaries_part(planted(0.0, seed=seed), 0.95).findings[0].code != "membership.canaries-quiet"
        for seed in range(40)
    )
    assert accused <= 4


def test_too_few_canaries_are_said() -> None:
    few = Canaries(included=np.array([True, False]), score=np.zeros(2), references=np.zeros(3))
    assert [getattr(note, "code", "") for note in canaries_part(few, 0.95).notes] == ["membership.canaries-few"]
    assert canaries_part(None, 0.95).estimates == ()


def test_groups_of_copies_bound_a_record_by_group_privacy() -> None:
    def bound(*, delta: float) -> float:
        return epsilon_one_run(100, 100, 98, delta=delta)

    found = of_a_record(bound, 4, 1e-6)
    grown = 1e-6 * math.expm1(4 * found) / math.expm1(found)
    assert 4 * found == pytest.approx(bound(delta=grown), abs=1e-4)
    assert found < bound(delta=1e-6) / 4
    assert of_a_record(bound, 1, 1e-6) == bound(delta=1e-6)


def test_all_groups_of_copies_bound_one_epsilon() -> None:
    """Sixteen copies that are all recognised give at most a sixteenth of their own bound."""
    loud = planted(9.0, copies=(16,))
    alone = canary_bound(Canaries(included=loud.included, score=loud.score), delta=1e-5, level=0.95)
    assert canary_bound(loud, delta=1e-5, level=0.95).epsilon == pytest.approx(alone.epsilon / 16, rel=0.05)


@pytest.mark.slow
def test_bounds_of_groups_hold_for_randomised_response() -> None:
    """Each copy's coin is released by ε-DP randomised response, and copies vote: at most 5 % of bounds are above ε."""
    epsilon, above, runs = 0.5, 0, 400
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        copies = np.repeat([1, 4], 60)
        included = rng.random(len(copies)) < 0.5
        honest = rng.binomial(copies, 1 / (1 + math.exp(-epsilon)))
        votes = np.where(included, honest, copies - honest) - copies / 2
        told = Canaries(included=included, score=votes + rng.normal(size=len(votes)) * 1e-6, copies=copies)
        above += canary_bound(told, delta=0.0, level=0.95).epsilon > epsilon
    assert above <= 0.05 * runs + 2 * math.sqrt(0.05 * 0.95 * runs)
