"""Samples that are copies of one another are one observation."""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np
import pytest

from probes.evidence import Evidence, PrivacyClaim
from probes.membership import Membership
from probes.membership.copies import each_once, kept_whole, near_pairs, sets_of_copies
from probes.result import Result
from tests.probes.membership.copied import KINDS, Copied, told


def audited(evidence: Evidence, repeats: int = 2) -> Result:
    return Membership(repeats=repeats)(evidence, np.random.default_rng(0))


def same_sets(one: np.ndarray, other: np.ndarray) -> bool:
    return bool(((one[:, None] == one) == (other[:, None] == other)).all())


@pytest.mark.parametrize("jitter", [0.0, 0.05])
def test_copies_are_found_and_nothing_else(jitter: float) -> None:
    evidence = Copied(distinct=(60, 60), copies=(3, 1), jitter=jitter).evidence(0, repeats=0)
    reference = Copied(distinct=(60, 60), copies=(3, 1)).evidence(0, repeats=0)
    truth = np.unique(reference.inputs, axis=0, return_inverse=True)[1].reshape(-1)
    assert len(np.unique(truth)) == 120
    assert same_sets(sets_of_copies(evidence), truth)


def test_copies_with_other_labels_do_not_make_the_split_differ() -> None:
    """Without replicas, so that only the baseline of inputs could tell."""
    evidence = KINDS["members five times"].evidence(1, repeats=0)
    labels = np.random.default_rng(0).integers(0, 2, len(evidence.labels))
    other = dataclasses.replace(evidence, pool=dataclasses.replace(evidence.pool, labels=labels))
    assert same_sets(sets_of_copies(other), sets_of_copies(evidence))
    assert audited(other)["blind.auc"].low <= 0.5


def test_near_pairs_are_those_of_all_pairs() -> None:
    """Against every pair, one by one."""
    rng = np.random.default_rng(2)
    features = rng.normal(size=(80, 5))
    features[40:60] = features[:20] + 0.03 * rng.normal(size=(20, 5))
    scaled = (features - features.mean(axis=0)) / features.std(axis=0)
    distance = np.sqrt(((scaled[:, None] - scaled) ** 2).sum(axis=2))
    tenth = np.sort(distance, axis=1)[:, 10]
    expected = [[i, j] for i in range(80) for j in range(i + 1, 80) if distance[i, j] < 0.2 * min(tenth[i], tenth[j])]
    assert len(expected) >= 10
    assert near_pairs(features).tolist() == expected


def test_a_split_of_single_samples_is_let_alone() -> None:
    evidence = KINDS["both three times, split afterwards"].evidence(3, repeats=0)
    assert each_once(evidence, sets_of_copies(evidence)) is evidence
    rng = np.random.default_rng(0)
    sets = np.repeat(np.arange(40), 2)
    whole = sum(kept_whole(sets, rng.permutation(80) < 40) for _ in range(200))
    assert whole <= 4


def test_each_copy_on_a_side_counts_once() -> None:
    evidence = Copied(distinct=(40, 50), copies=(3, 2)).evidence(4, repeats=2)
    result = audited(evidence)
    assert result["checkpoint.auc"].n == 90
    assert np.isfinite(result.per_sample["attack_score"]).sum() == 90
    assert np.isfinite(result.per_sample["exposure"]).sum() == 220
    (note,) = [one for one in result.notes if one.code == "membership.copies-once"]
    assert note.values == {"members": 80, "others": 50}


def test_a_bound_on_epsilon_is_that_of_records_without_copies() -> None:
    """Every member five times: what they show is ε of a group of five."""
    claim = PrivacyClaim(epsilon=0.5, delta=1e-5)
    for kind, bounded in (("members five times", False), ("a third of the members four times", True)):
        evidence = dataclasses.replace(KINDS[kind].evidence(5, leak=8.0, repeats=0), privacy=claim)
        result = audited(evidence)
        assert result["checkpoint.auc"].low > 0.6
        assert (result["epsilon.lower_bound"].caveat is None) == bounded
        assert (result["epsilon.lower_bound"].value > 0) == bounded
        assert ("membership.false-dp-claim" in {one.code for one in result.findings}) == bounded


@pytest.mark.slow
def test_copies_raise_no_false_alarm() -> None:
    """Of 160 models that remember nothing at most 15 (p < 1 % at 5 %) have a finding above 'info', none because of
    copies that lie in two folds of the blind baseline."""
    counted = sum((told(kind, range(20), leak=0.0, repeats=4) for kind in KINDS.values()), Counter())
    assert counted["above info"] <= 15
    assert counted["split-differs"] <= 5


@pytest.mark.slow
def test_copies_hide_no_leak() -> None:
    counted = sum((told(kind, range(5), leak=3.0, repeats=4) for kind in KINDS.values()), Counter())
    assert counted["leaks"] + counted["leaks-few"] >= 35
