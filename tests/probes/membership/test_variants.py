"""A release of several variants: each alone, and all together."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from probes.answers import Answers, answers
from probes.errors import EvidenceError
from probes.evidence import Evidence
from probes.membership.attacks import ladder
from probes.membership.target import target_of
from probes.membership.variants import joint, variants_part
from probes.partial_result import Part
from probes.result import Table
from tests.probes.membership.worlds import World


def noisy(evidence: Evidence, spread: float, seed: int) -> Answers:
    """A variant's answers: this model's margins plus independent rounding noise."""
    margin = evidence.audited.margin[0] + np.random.default_rng(seed).normal(0, spread, len(evidence.labels))
    logits = np.zeros((1, len(margin), 2))
    logits[0, np.arange(len(margin)), evidence.labels] = margin
    return answers(logits, evidence.labels)


def part_of(evidence: Evidence, variants: dict[str, Answers]) -> Part:
    made = dataclasses.replace(evidence, variants=variants)
    target = target_of(made, made.population.design("splits"), np.random.default_rng(0))
    return variants_part(made, target, ladder(target), 0.95)


@pytest.fixture(scope="module")
def leaking() -> Evidence:
    return World(leak=2.0, seed=5, members=100, held_out=100, repeats=2).evidence()


def test_each_variant_and_all_together_have_a_row_and_an_estimate(leaking: Evidence) -> None:
    part = part_of(leaking, {"int8": noisy(leaking, 0.3, 1), "pruned": noisy(leaking, 3.0, 2)})
    by_name = {one.name: one for one in part.estimates}
    assert set(by_name) == {
        "variant.int8.auc",
        "variant.pruned.auc",
        "variants.joint_auc",
        "variants.joint_tpr_at_1pct_fpr",
    }
    assert by_name["variant.int8.auc"].low > 0.6
    assert by_name["variant.pruned.auc"].value < by_name["variant.int8.auc"].value
    assert part.findings[0].code == "membership.variants-leak"
    (table,) = part.figures
    assert isinstance(table, Table)
    assert table.columns["release"] == ["this model", "int8", "pruned", "all of them"]


def test_together_they_say_more_than_any_alone_where_their_noise_is_their_own() -> None:
    clean = World(leak=1.5, seed=6, members=200, held_out=200, repeats=2).evidence()
    # The released model is a noisy one, and so is every variant: their mean is less noisy than each.
    own = dataclasses.replace(clean, audited=noisy(clean, 2.0, 10))
    part = part_of(own, {f"copy-{i}": noisy(clean, 2.0, 11 + i) for i in range(3)})
    by_name = {one.name: one.value for one in part.estimates}
    alone = [value for name, value in by_name.items() if name.startswith("variant.")]
    assert by_name["variants.joint_auc"] > max(alone) + 0.01


def test_where_nothing_leaks_the_joint_attack_is_quiet() -> None:
    null = World(leak=0.0, seed=7, members=100, held_out=100, repeats=2).evidence()
    part = part_of(null, {"int8": noisy(null, 0.3, 1)})
    assert part.findings[0].code == "membership.variants-quiet"
    assert {one.name: one for one in part.estimates}["variants.joint_auc"].low < 0.5


def test_joint_attacks_are_those_that_every_model_allows() -> None:
    one, other = {"loss": np.array([0.0, 2.0, 1.0]), "label-only": np.zeros(3)}, {"loss": np.array([5.0, 3.0, 4.0])}
    found = joint({"a": one, "b": other})
    assert set(found) == {"loss\na", "label-only\na", "loss\nb", "loss\nmean", "loss\nlargest"}
    np.testing.assert_allclose(found["loss\nmean"], 0, atol=1e-12)


def test_without_variants_nothing_is_said_and_other_samples_are_refused(leaking: Evidence) -> None:
    assert not part_of(leaking, {}).estimates
    with pytest.raises(EvidenceError, match="variant int8 has answers of shape"):
        dataclasses.replace(leaking, variants={"int8": leaking.audited.on(np.arange(5))})
