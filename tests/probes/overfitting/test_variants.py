"""Accuracy of variants beside the audited model's, on the same held-out samples."""

from __future__ import annotations

import dataclasses

import numpy as np

from probes.answers import Answers, answers
from probes.evidence import Evidence
from probes.overfitting.variants import variants
from probes.result import Table
from tests.probes.membership.worlds import World


def wrong_on(evidence: Evidence, share: float) -> Answers:
    """This model's answers, but wrong on the first `share` of all samples."""
    margin = evidence.audited.margin[0].astype(np.float64).copy()
    count = int(share * len(margin))
    margin[:count] = -5.0
    logits = np.zeros((1, len(margin), 2))
    logits[0, np.arange(len(margin)), evidence.labels] = margin
    return answers(logits, evidence.labels)


def test_a_variant_that_lost_accuracy_is_named_and_one_that_did_not_is_quiet() -> None:
    base = World(leak=0.5, seed=1, members=200, held_out=200, repeats=0).evidence()
    made = dataclasses.replace(base, variants={"same": base.audited, "pruned": wrong_on(base, 0.4)})
    part = variants(made, 0.95)
    by_name = {one.name: one for one in part.estimates}
    assert by_name["variant.same.accuracy_change"].value == 0
    worst = by_name["variants.worst_accuracy_change"]
    assert worst.value == by_name["variant.pruned.accuracy_change"].value
    assert worst.high < 0
    assert [finding.values["variant"] for finding in part.findings] == ["pruned"]
    (table,) = part.figures
    assert isinstance(table, Table)
    assert table.columns["same answer"][0] == 1.0


def test_without_variants_nothing_is_said() -> None:
    assert not variants(World(leak=0.0, seed=1, repeats=0).evidence(), 0.95).estimates
