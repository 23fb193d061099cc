from __future__ import annotations

import numpy as np
import pytest

from probes.errors import EvidenceError
from probes.evidence import Canaries
from probes.membership import epsilon_clopper_pearson, epsilon_one_run
from probes.membership.epsilon_section import canary_bound, split_sample_bound


def test_known_answers() -> None:
    assert epsilon_one_run(1000, 1000, 600, delta=0.0) == pytest.approx(0.2975, abs=5e-5)
    perfect = 0.05 ** (1 / 100)
    assert epsilon_one_run(1000, 100, 100, delta=0.0) == pytest.approx(np.log(perfect / (1 - perfect)))
    assert epsilon_clopper_pearson(40, 2, 200, 200, delta=0.0) == pytest.approx(1.4158, abs=5e-5)


def test_nothing_guessed_nothing_bound() -> None:
    assert epsilon_one_run(100, 0, 0, delta=1e-5) == 0.0
    assert epsilon_one_run(100, 100, 50, delta=1e-5) == 0.0
    assert epsilon_clopper_pearson(10, 10, 200, 200, delta=0.0) == 0.0


def test_delta_lowers_the_bound() -> None:
    assert epsilon_one_run(1000, 100, 95, delta=1e-5) < epsilon_one_run(1000, 100, 95, delta=0.0)


@pytest.mark.parametrize("bad", [(10, 11, 5), (10, 5, 6), (0, 0, 0)])
def test_impossible_counts_are_named(bad: tuple[int, int, int]) -> None:
    with pytest.raises(EvidenceError, match="canaries"):
        epsilon_one_run(*bad, delta=0.0)


def test_bounds_hold_for_a_mechanism_of_known_epsilon() -> None:
    """Randomised response with ε = 1: a bound above 1 must be rarer than 5 %."""
    rng = np.random.default_rng(0)
    truth = np.e / (1 + np.e)
    above = {"canaries": 0, "split": 0}
    for draw in range(120):
        included = rng.random(120) < 0.5
        answer = np.where(rng.random(120) < truth, included, ~included)
        score = answer + 0.01 * rng.random(120)
        if draw < 30:
            above["canaries"] += (
                canary_bound(Canaries(included=included, score=score), delta=0.0, level=0.95).epsilon > 1
            )
        above["split"] += split_sample_bound({"a": score}, included, rng, delta=0.0, level=0.95) > 1
    # 30 and 120 draws at 5 %: more than 5 and 12 have a probability below 2 %.
    assert above["canaries"] <= 5
    assert above["split"] <= 12


def test_a_leak_of_everything_is_bound_high() -> None:
    included = np.arange(1000) % 2 == 0
    found = canary_bound(Canaries(included=included, score=included * 1.0), delta=1e-5, level=0.95)
    assert found.guesses == found.correct
    assert found.epsilon > 4
