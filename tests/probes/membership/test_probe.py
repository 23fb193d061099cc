"""The whole ladder on synthetic populations: margins that do, and do not, remember who trained them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from probes.evidence import Canaries, Evidence, PrivacyClaim
from probes.membership import Membership
from probes.membership.fidelity import loss_interval, share_interval
from probes.membership.figures import rates_table
from probes.membership.leave_one_out import stand_in_scores
from probes.membership.order_intervals import inflation, over_orders, stand_in_aucs, tpr_over_orders
from probes.membership.recipe_level import calibrated
from probes.membership.strongest_attack import precision, strongest_advantage, strongest_tpr
from probes.result import Chart, Gallery, Result, Table
from probes.texts import said
from reports.legacy_attributes import of_estimate
from tests.probes.membership.worlds import OF_CLASSIFIERS, World
from tests.probes.truth import untrue


def world(leak: float, seed: int, **changes: int | bool) -> Evidence:
    return World(leak=leak, seed=seed, **changes).evidence()


def probed(evidence: Evidence, seed: int = 0) -> Result:
    return Membership(repeats=4)(evidence, np.random.default_rng(seed))


def codes(result: Result) -> set[str]:
    return {finding.code for finding in result.findings}


def test_a_leak_is_found_and_its_samples_named() -> None:
    result = probed(world(2.0, 0, repeats=8))
    assert "membership.leaks" in codes(result)
    assert result["checkpoint.auc"].low > 0.6
    assert result["recipe.auc"].low > 0.8
    assert result["recipe.tpr_at_1pct_fpr"].low > 0.1
    assert "membership.exposed-samples" in codes(result)
    assert result.per_sample["exposure"][world(2.0, 0).pool.member].mean() == pytest.approx(2.0, abs=0.3)
    assert untrue(result) == []


def test_models_that_remember_nothing_raise_no_alarm() -> None:
    """The whole ladder and its three low rates alarm on at most 5 % of nulls: 20 draws, at most 3 (p < 2 %)."""
    alarm = {"membership.leaks", "membership.leaks-few"}
    alarms = sum(bool(alarm & codes(probed(world(0.0, seed, members=40, held_out=40)))) for seed in range(20))
    assert alarms <= 3


def test_a_few_exposed_members_are_distinguished_from_a_leak_of_most() -> None:
    evidence = world(0.0, 3, repeats=0, members=300, held_out=300)
    few = np.flatnonzero(evidence.pool.member)[:20]
    changed = {name: getattr(evidence.audited, name).copy() for name in ("margin", "log_prob")}
    changed["margin"][0, few], changed["log_prob"][0, few] = 12.0, -np.exp(-12.0)
    result = probed(dataclasses.replace(evidence, audited=dataclasses.replace(evidence.audited, **changed)))
    (finding,) = [one for one in result.findings if one.code.startswith("membership.leaks")]
    assert finding.code == "membership.leaks-few"
    assert untrue(result) == []
    assert result["checkpoint.auc"].low < 0.5
    assert finding.values["found"] == pytest.approx(
        result[f"checkpoint.tpr_at_{100 * finding.values['fpr']:g}pct_fpr"].value, abs=1e-4
    )


def test_replicas_of_one_repeat_attack_the_checkpoint_alone() -> None:
    result = probed(world(2.0, 0, repeats=1))
    assert "attack.lira-online.auc" in {one.name for one in result.estimates}
    assert "membership.one-repeat" in codes(result)
    assert not {"membership.no-replicas", "membership.infidelity"} & codes(result)


def test_without_replicas_it_does_what_it_can() -> None:
    result = probed(world(3.0, 1, repeats=0))
    assert "membership.no-replicas" in codes(result)
    assert "membership.leaks" in codes(result)
    assert not [one.name for one in result.estimates if one.name.startswith("recipe.")]


def test_without_validation_there_is_no_rmia() -> None:
    names = {one.name for one in probed(world(1.0, 2, validation=0)).estimates}
    assert "attack.lira-online.auc" in names
    assert "attack.rmia-online.auc" not in names


def test_too_few_non_members_are_not_resolvable() -> None:
    assert "not resolvable" in said(probed(world(1.0, 3))["checkpoint.tpr_at_0.1pct_fpr"].caveat)


def test_a_recipe_that_is_not_the_checkpoints_is_said() -> None:
    right, wrong = world(1.0, 4), world(6.0, 4)
    mixed = Evidence(
        pool=right.pool, classes=right.classes, audited=wrong.audited, population=right.population, inputs=right.inputs
    )
    result = probed(mixed)
    assert "membership.infidelity" in codes(result)
    assert untrue(result) == []
    finding = next(one for one in result.findings if one.code == "membership.infidelity")
    for one in finding.values["outside"]:
        assert not one.values["low"] <= one.values["value"] <= one.values["high"]
    assert sum("membership.infidelity" in codes(probed(world(1.0, 50 + s))) for s in range(15)) <= 2


def test_models_that_all_fit_their_members_to_the_last_digit_are_alike() -> None:
    """The log-loss of every one is 0, and so is the width of the interval."""
    assert "membership.infidelity" not in codes(probed(world(500.0, 0)))


def test_a_false_dp_claim_is_the_gravest_finding() -> None:
    one = world(0.0, 5)
    rng = np.random.default_rng(0)
    included = rng.random(400) < 0.5

    def claimed(score: np.ndarray, epsilon: float) -> set[str]:
        evidence = Evidence(
            pool=one.pool,
            classes=one.classes,
            audited=one.audited,
            population=one.population,
            inputs=one.inputs,
            privacy=PrivacyClaim(epsilon=epsilon, delta=1e-5),
            canaries=Canaries(included=included, score=score),
        )
        result = probed(evidence)
        return {finding.code for finding in result.findings if finding.severity == "critical"}

    leaking, silent = included + rng.normal(0, 0.1, 400), rng.normal(0, 1, 400)
    assert claimed(leaking, 2.0) == {"membership.false-dp-claim"}
    assert claimed(silent, 2.0) == set()
    assert claimed(leaking, 20.0) == set()


def test_the_same_evidence_gives_the_same_result() -> None:
    one, other = probed(world(1.0, 6)), probed(world(1.0, 6))
    assert one.estimates == other.estimates
    assert one.findings == other.findings


def recipe_auc(seed: int) -> tuple[float, float, float]:
    population = world(1.0, seed, repeats=5, members=40, held_out=40).population
    pooled = np.flatnonzero(population.keep.any(axis=0))
    keep = population.keep[:, pooled]
    scores = stand_in_scores(population.answers.margin[:, pooled], keep, population.order)
    found = over_orders("a", stand_in_aucs(scores, keep), population.order, level=0.95, unit="AUC", bounds=(0.0, 1.0))
    return found.value, found.low, found.high


def test_the_recipes_interval_covers() -> None:
    """The truth is the mean over many pools and populations of this size; the interval is conditional on one pool, so
    pools are part of what it must cover here: a harder test than its claim."""
    found = np.array([recipe_auc(seed) for seed in range(150)])
    truth = found[:, 0].mean()
    covered = ((found[:, 1] <= truth) & (truth <= found[:, 2])).mean()
    assert covered >= 0.89


@pytest.fixture(scope="module")
def everything() -> Result:
    return probed(world(2.0, 7, repeats=16, members=80, held_out=80, validation=60, everything=True, groups=4))


def test_every_attack_of_the_ladder_finds_a_leak(everything: Result) -> None:
    """Those that see margins tell members from the others; the strong ones more surely than the plain ones."""
    found = {one.name.split(".")[1]: one for one in everything.estimates if one.name.startswith("attack.")}
    assert set(found) == OF_CLASSIFIERS
    weak = {
        "label-only",
        "entropy",
        "modified-entropy",
        "gradient-norm",
    }  # blind to the label, or clouded by difficulty
    assert all(one.low > 0.5 for name, one in found.items() if name not in weak), found
    assert all(one.value > 0.5 for one in found.values()), found
    assert found["lira-online"].value > found["loss"].value + 0.1
    assert found["quantile"].value > found["loss"].value + 0.02
    assert found["lira-queries"].value > found["lira-online"].value - 0.02
    assert untrue(everything) == []


def test_everything_that_is_reported_is_there(everything: Result) -> None:
    charts = {one.name: one for one in everything.figures if isinstance(one, Chart)}
    tables = {one.name for one in everything.figures if isinstance(one, Table)}
    expected = {"roc", "attacks", "classes", "groups", "exposure", "margins", "memorisation"}
    assert expected | {"exposure-by-class", "exposure-by-group"} <= set(charts)
    assert {"exposed", "rates", "resolution", "precision"} <= tables
    assert set(charts["groups"].columns["group"]) == {"ward 0", "ward 1", "ward 2", "ward 3"}
    assert charts["roc"].x.scale == charts["roc"].y.scale == "log"
    assert set(charts["margins"].columns["replica"]) == {"trained on it", "did not", "this model"}
    assert everything["checkpoint.precision_at_1pct_fpr"].value > 0.5
    assert "membership.unresolved" in codes(everything)


def test_two_repeats_cannot_tell_their_spread() -> None:
    """Two orders attack only each other, so they nearly agree: that is not certainty."""
    for repeats, known in ((2, False), (3, True)):
        found = probed(world(2.0, 8, repeats=repeats))["recipe.auc"]
        assert (found.caveat is None) == known
        assert ((found.low, found.high) != (0.0, 1.0)) == known


def test_the_mean_of_scores_that_orders_share_varies_as_the_inflation_says() -> None:
    rng, orders = np.random.default_rng(0), 5
    means, spreads = [], []
    for _ in range(4000):
        shared = rng.normal(size=(orders, orders))
        shared = np.triu(shared, 1) + np.triu(shared, 1).T
        scores = shared.sum(axis=1) / (orders - 1)
        means.append(scores.mean())
        spreads.append(scores.var(ddof=1) / orders)
    assert np.var(means) / np.mean(spreads) == pytest.approx(inflation(orders), rel=0.1)


@pytest.mark.slow
def test_precision_and_advantage_pay_for_the_attacks_that_were_tried() -> None:
    """Twenty attacks that guess: an interval that does not pay would call the luckiest a find in a third of draws."""
    rng, member = np.random.default_rng(1), np.arange(100) < 50
    wrong = 0
    for _ in range(100):
        scores = {str(name): rng.normal(size=100) for name in range(20)}
        precise = precision(strongest_tpr(scores, member, 0.05, 0.95, "t")[0], 50, 50, 0.05, "p")
        wrong += precise.low > 0.5 or strongest_advantage(scores, member, 0.95).low > 0
        assert precise.low <= precise.value <= precise.high
    assert wrong <= 8


def test_precision_by_hand() -> None:
    member = np.array([True, True, True, False, True, False, False, False])
    rate, _ = strongest_tpr({"a": np.arange(8.0)[::-1].copy()}, member, 0.25, 0.95, "t")
    found = precision(rate, 4, 4, 0.25, "p")
    # One false alarm allowed: four members and one other stand above the second other.
    assert (rate.value, found.value, found.name, found.n) == (1.0, 0.8, "p", 8)
    assert (found.low, found.high) == (rate.low / (rate.low + 0.25), rate.high / (rate.high + 0.25))


def test_what_was_counted_at_each_rate_is_listed() -> None:
    member = np.arange(50) < 10
    score = np.concatenate([np.arange(10.0) + 30, np.arange(40.0)])
    listed = rates_table(score, member, (0.05, 0.001), {}).columns
    assert [said(one) for one in listed["false alarms"]] == ["2 of 40", "0 of 40"]
    assert [said(one) for one in listed["members found"]] == ["2 of 10", "0 of 10"]
    assert (listed["low"][0], listed["high"][0]) == pytest.approx((0.0252, 0.5561), abs=1e-4)


def test_the_rate_over_stand_ins_is_that_at_their_common_threshold() -> None:
    rng = np.random.default_rng(2)
    keep = np.tile([[True, False], [False, True]], (8, 40))
    scores, order = rng.normal(size=keep.shape) + keep, np.repeat(np.arange(8), 2)
    found = tpr_over_orders("t", scores, keep, order, 0.05, level=0.95)
    threshold = np.sort(scores[~keep])[::-1][int(0.05 * (~keep).sum())]
    each = np.array([(row > threshold)[mask].mean() for row, mask in zip(scores, keep, strict=True)])
    known = over_orders("t", each, order, level=0.95, unit="TPR", bounds=(0.0, 1.0))
    assert found.value == known.value
    assert found.low < known.low
    assert found.high > known.high


def test_images_of_the_exposed_are_off_unless_asked_for() -> None:
    evidence = world(2.0, 9)
    pictured = dataclasses.replace(
        evidence, modality="image", inputs=np.zeros((len(evidence.labels), 100, 8, 1), dtype=np.uint8)
    )
    for asked in (False, True):
        result = Membership(repeats=4, pictures=asked, inside=False)(pictured, np.random.default_rng(0))
        galleries = [one for one in result.figures if isinstance(one, Gallery)]
        assert len(galleries) == asked
    (gallery,) = galleries
    (table,) = [one for one in result.figures if isinstance(one, Table) and one.name == "exposed"]
    assert [row.sample for row in gallery.rows] == list(table.columns["sample"])[: len(gallery.rows)]
    assert gallery.rows[0].pictures[0].shape == (50, 4, 1)


def test_replicas_without_an_error_forgive_one() -> None:
    low, high = share_interval(np.ones(16), 0.9975, 200)
    assert (low, high) == (0.995, 1.0)
    low, high = share_interval(np.array([0.96, 0.99, 1.0, 0.98]), 0.9975, 200)
    assert 0 < low < 0.95
    assert high == 1.0
    losses = np.array([0.01, 0.02, 0.04, 0.015])
    low, high = loss_interval(losses, 0.9975)
    assert 0 < low < 0.01
    assert high > 0.04
    assert low * high == pytest.approx(float(np.prod(losses)) ** 0.5)  # as far below the geometric mean as above


def test_the_defaults_of_older_files_match_these_estimates(everything: Result) -> None:
    """Files say of the built-in probes' estimates only what cannot be known by their names, and older ones nothing."""
    for one in everything.estimates:
        unsaid = of_estimate(everything.probe, one.name)
        assert {name: getattr(one, name) for name in unsaid} == unsaid, one.name


def test_the_rate_at_a_threshold_for_each_sample_is_reported_beside_the_pooled_rate(everything: Result) -> None:
    (rates,) = [one for one in everything.figures if isinstance(one, Table) and one.name == "rates"]
    whose, share = rates.columns["whose"], rates.columns["share found"]
    assert whose == ["this model", "this recipe, one threshold", "this recipe, a threshold per sample"] * 3
    for place, percent in enumerate(("5", "1", "0.1")):
        for row, suffix in ((1, ""), (2, "_by_sample")):
            found = everything[f"recipe.tpr_at_{percent}pct_fpr{suffix}"]
            assert share[3 * place + row] == round(found.value, 4)
            assert rates.columns["high"][3 * place + row] == round(found.high, 4)


def test_a_threshold_for_each_sample_accuses_all_samples_about_equally_often() -> None:
    """Scores whose level differs between samples by more than between models: at one threshold, a few samples have all
    false alarms."""
    rng = np.random.default_rng(0)
    keep, order = np.tile([True, False], 200)[:, None] ^ (rng.random((400, 80)) < 0.5), np.arange(400) // 2
    scores = rng.normal(0, 2, 80) + rng.normal(size=(400, 80)) + keep
    worst = []
    for one in (scores, calibrated(scores, keep, order)):
        above = (one > np.quantile(one[~keep], 0.95)) & ~keep
        worst.append((above.sum(axis=0) / (~keep).sum(axis=0)).max())
    assert worst[0] > 0.4
    assert worst[1] < 0.15
