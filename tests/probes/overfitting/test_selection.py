"""What selection on the held-out samples added, estimated from the answers of all models that were tried."""

from __future__ import annotations

import dataclasses

import numpy as np

from probes.answers import answers
from probes.evidence import Evidence
from probes.overfitting.selection import selection
from probes.partial_result import Part
from tests.probes.membership.worlds import World


def told(accuracies: np.ndarray, own: float) -> Part:
    """The audited model is right on `own` of the held-out samples; others are right by chance so often."""
    rng = np.random.default_rng(4)
    base = World(leak=0.0, seed=1, members=50, held_out=400, repeats=0).evidence()
    right = rng.random((len(accuracies), len(base.labels))) < accuracies[:, None]
    return selection(with_own(dataclasses.replace(base, tried=right), own), rng, 0.95)


def with_own(base: Evidence, own: float) -> Evidence:
    logits = np.zeros((1, len(base.labels), 2))
    logits[0, np.arange(len(base.labels)), base.labels] = -1.0
    held_out = np.flatnonzero(base.pool.held_out)
    right = np.random.default_rng(5).permutation(held_out)[: int(own * len(held_out))]
    logits[0, right, base.labels[right]] = 1.0
    return dataclasses.replace(base, audited=answers(logits, base.labels))


def test_the_best_of_many_that_guess_was_chosen() -> None:
    part = told(np.full(400, 0.5), own=0.58)
    bias, corrected = part.estimates
    assert bias.low > 0
    assert corrected.low <= 0.5 <= corrected.high
    assert [one.code for one in part.findings] == ["overfitting.chosen"]
    assert part.notes == ()


def test_one_that_is_far_better_than_all_that_was_tried_was_not() -> None:
    part = told(np.full(100, 0.6), own=0.9)
    assert abs(part.estimates[0].value) < 0.002
    assert [(one.code, one.severity) for one in part.findings] == [("overfitting.not-chosen", "info")]


def test_one_that_others_beat_is_said_not_to_be_chosen_by_this_alone() -> None:
    part = told(np.array([0.8, 0.9, 0.5]), own=0.7)
    assert [(note.code, note.values["better"]) for note in part.notes] == [("overfitting.not-the-best", 2)]


def test_nothing_is_said_where_what_was_tried_is_not_given() -> None:
    base = World(leak=0.0, seed=1, repeats=0).evidence()
    assert not selection(base, np.random.default_rng(0), 0.95).estimates
