"""A split that differs is not called leakage; a random one is let alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from probes.answers import answers
from probes.evidence import Canaries, Evidence, PrivacyClaim
from probes.membership import Membership
from probes.membership.split_difference import whole_groups
from probes.result import Result
from tests.probes.membership.worlds import World


def split_by_difficulty(evidence: Evidence, *, swapped: bool = False) -> Evidence:
    """The audited model remembers nothing, and its members are the easier half of the pool, with noise: an honest model
    on a split by time, where records got harder."""
    pool = evidence.pool
    drift = evidence.inputs[:, 0].astype(float) + np.random.default_rng(0).normal(0, 0.7, len(evidence.labels))
    pooled = pool.indices
    order = pooled[np.argsort(-drift[pooled])]
    member = np.zeros(len(pool.labels), dtype=bool)
    member[order[-len(order) // 2 :] if swapped else order[: len(order) // 2]] = True
    held_out = (pool.member | pool.held_out) & ~member
    return dataclasses.replace(evidence, pool=dataclasses.replace(pool, member=member, held_out=held_out))


def audited(swapped: bool = False, leak: float = 0.0, **changes: object) -> Result:
    evidence = World(leak=leak, seed=1, everything=True, repeats=3, members=150, held_out=150).evidence()
    changed = dataclasses.replace(split_by_difficulty(evidence, swapped=swapped), **changes)
    return Membership(repeats=3)(changed, np.random.default_rng(0))


def codes(result: Result) -> set[str]:
    return {one.code for one in result.findings}


def test_an_honest_model_on_a_split_that_differs_does_not_leak() -> None:
    result = audited()
    assert result["attack.loss.auc"].low > 0.6
    assert "membership.leaks" not in codes(result)
    (finding,) = [one for one in result.findings if one.code == "membership.split-differs"]
    assert finding.severity == "medium"
    assert "column 0" in finding.values["properties"].values["properties"]
    assert all(one.caveat for one in result.estimates if one.name.startswith("checkpoint."))
    assert result["recipe.auc"].caveat is None
    assert result["split.matched_auc"].low < result["attack.loss.auc"].low - 0.05


def test_swapped_roles_are_not_quiet() -> None:
    assert "membership.quiet" not in codes(audited(swapped=True))


def test_a_pool_that_differs_bounds_no_epsilon() -> None:
    claim = PrivacyClaim(epsilon=0.01, delta=1e-5)
    result = audited(privacy=claim)
    assert "membership.false-dp-claim" not in codes(result)
    assert result["epsilon.lower_bound"].value == 0.0
    assert result["epsilon.lower_bound"].caveat is not None
    included = np.arange(400) % 2 == 0
    told = audited(privacy=claim, canaries=Canaries(included=included, score=included + 0.0))
    assert "membership.false-dp-claim" in codes(told)


def test_an_attack_significantly_below_one_half_is_reported_without_a_baseline_difference() -> None:
    evidence = World(leak=-1.5, seed=2, repeats=3, members=150, held_out=150).evidence()
    result = Membership(repeats=3)(evidence, np.random.default_rng(0))
    assert {"membership.attack-below-half"} == codes(result) & {
        "membership.attack-below-half",
        "membership.quiet",
        "membership.leaks",
    }


def test_a_random_split_keeps_its_verdict() -> None:
    evidence = World(leak=2.0, seed=3, everything=True, repeats=3, members=150, held_out=150).evidence()
    result = Membership(repeats=3)(evidence, np.random.default_rng(0))
    assert "membership.leaks" in codes(result)
    assert result["blind.auc"].low < 0.5
    assert result["checkpoint.auc"].caveat is None


def by_group(groups: int, *, easier: bool) -> Evidence:
    """A model that remembers nothing and answers alike about a whole group, on a split that keeps groups whole. With
    `easier`, the members are the groups that are easier for the model, and an input shows how easy."""
    evidence = World(leak=0.0, seed=4, everything=True, repeats=3, members=150, held_out=150).evidence()
    rng = np.random.default_rng(4)
    number, labels = rng.integers(0, groups, len(evidence.labels)), evidence.labels
    ease = rng.normal(0, 1.5, groups)
    order = np.argsort(ease) if easier else rng.permutation(groups)
    logits = np.zeros((len(labels), 2))
    logits[np.arange(len(labels)), labels] = evidence.audited.margin[0] + ease[number]
    pooled = evidence.pool.member | evidence.pool.held_out
    inside = np.isin(number, order[groups // 2 :])
    pool = dataclasses.replace(evidence.pool, member=pooled & inside, held_out=pooled & ~inside, groups=number)
    inputs = evidence.inputs.copy()
    inputs[:, 1] += 2 * easier * ease[number]
    return dataclasses.replace(
        evidence,
        pool=pool,
        inputs=inputs,
        audited=answers(logits[None], labels),
        group_names=tuple(f"ward {one}" for one in range(groups)),
        observations={},
    )


def test_a_split_by_few_groups_is_undecided_where_an_attack_finds_something() -> None:
    result = Membership(repeats=3)(by_group(12, easier=True), np.random.default_rng(0))
    assert result["attack.loss.auc"].value > 0.7
    assert "membership.few-groups" in codes(result)
    assert "membership.leaks" not in codes(result)
    assert result["checkpoint.auc"].caveat is not None
    assert result["epsilon.lower_bound"].value == 0.0


def test_a_split_by_many_groups_counts_groups() -> None:
    """The interval of the AUC is wider than with independent samples, and rates are no evidence."""
    evidence = by_group(60, easier=False)
    result = Membership(repeats=3)(evidence, np.random.default_rng(0))
    alone = Membership(repeats=3)(
        dataclasses.replace(evidence, pool=dataclasses.replace(evidence.pool, groups=None)), np.random.default_rng(0)
    )
    one, other = result["attack.loss.auc"], alone["attack.loss.auc"]
    assert one.value == pytest.approx(other.value)
    assert one.high - one.low > 1.2 * (other.high - other.low)
    assert result["checkpoint.tpr_at_1pct_fpr"].caveat is not None
    assert "blind.auc" in {estimate.name for estimate in result.estimates}


def test_groups_on_both_sides_do_not_stop_the_baseline() -> None:
    """Ten groups are too few to be dealt over folds, but this split divides them."""
    evidence = split_by_difficulty(World(leak=0.0, seed=1, everything=True, repeats=3, groups=10).evidence())
    assert whole_groups(evidence) is None
    assert "blind.auc" in {one.name for one in Membership(repeats=3)(evidence, np.random.default_rng(0)).estimates}


def unseen_difference(leak: float, *, repeats: int, samples: int = 60) -> Result:
    """Nothing is known of the samples without a model but three columns of noise, and half of the samples are easier;
    without `leak`, these are the members."""
    evidence = World(leak=leak, seed=5, repeats=repeats, members=samples, held_out=samples, validation=20).evidence()
    inputs = np.random.default_rng(0).normal(size=(len(evidence.labels), 3)).astype(np.float32)
    evidence = dataclasses.replace(evidence, inputs=inputs)
    if not leak:
        pool, pooled = evidence.pool, evidence.pool.indices
        order = pooled[
            np.argsort(-(evidence.audited.margin[0] + np.random.default_rng(1).normal(0, 1, len(inputs)))[pooled])
        ]
        member = np.zeros(len(inputs), dtype=bool)
        member[order[:samples]] = True
        pool = dataclasses.replace(pool, member=member, held_out=(pool.member | pool.held_out) & ~member)
        evidence = dataclasses.replace(evidence, pool=pool)
    return Membership(repeats=max(1, repeats))(evidence, np.random.default_rng(0))


def test_replicas_tell_a_split_whose_difference_no_column_shows() -> None:
    result = unseen_difference(0.0, repeats=3)
    assert result["attack.loss.auc"].low > 0.6
    assert result["blind.auc"].low < 0.5
    assert "membership.leaks" not in codes(result)
    (finding,) = [one for one in result.findings if one.code == "membership.split-differs"]
    assert finding.because[0] == "split.replicas_auc"
    assert finding.values["told"].code == "membership.told-by-replicas"
    assert result["split.replicas_auc"].low > 0.5
    assert all(one.caveat for one in result.estimates if one.name.startswith("checkpoint."))


def test_replicas_tell_that_a_leak_is_one() -> None:
    result = unseen_difference(2.0, repeats=3)
    assert "membership.leaks" in codes(result)
    assert result["split.replicas_auc"].low < 0.5 < result["split.replicas_auc"].high


def test_without_replicas_a_leak_is_what_exceeds_the_baseline_with_both_errors() -> None:
    few, strong = unseen_difference(0.9, repeats=0, samples=80), unseen_difference(6.0, repeats=0, samples=120)
    assert few["checkpoint.auc"].low > 0.5
    (finding,) = [one for one in few.findings if one.code == "membership.leaks-or-differs"]
    assert few["checkpoint.auc"].caveat is not None
    more = finding.values["why"].values["more"]
    assert more.values["needed"] > 80
    assert "membership.leaks" in codes(strong)
    assert strong["checkpoint.auc"].caveat is None


def test_without_replicas_and_baseline_nothing_tells_a_leak_from_a_difference() -> None:
    result = unseen_difference(6.0, repeats=0, samples=15)
    (finding,) = [one for one in result.findings if one.code == "membership.leaks-or-differs"]
    assert finding.values["why"].code == "membership.unclear-without-baseline"
    assert "membership.leaks" not in codes(result)


def remembered_few(shown: float, seed: int = 2) -> Result:
    """240 members and 240 held-out samples, without replicas: the model is far surer of 16 members than of
    all others, and tells the rest apart no better than chance. A column shows these 16 by `shown` deviations."""
    evidence = World(leak=0.0, seed=seed, repeats=0, members=240, held_out=240, noise=0.0).evidence()
    rng, n = np.random.default_rng(seed), len(evidence.labels)
    few = np.flatnonzero(evidence.pool.member)[:16]
    logits = np.zeros((n, 2))
    logits[np.arange(n), evidence.labels] = rng.normal(1, 1, n)
    logits[few, evidence.labels[few]] += 6.0
    inputs = rng.normal(size=(n, 3)).astype(np.float32)
    inputs[few, 0] += shown
    changed = dataclasses.replace(evidence, inputs=inputs, audited=answers(logits[None], evidence.labels))
    return Membership()(changed, np.random.default_rng(seed))


def test_without_replicas_few_members_found_are_a_leak_only_if_they_exceed_the_baseline() -> None:
    found = remembered_few(0.0)
    assert found["checkpoint.auc"].low <= 0.5
    assert "membership.leaks-few" in codes(found)
    other = remembered_few(3.0)
    (finding,) = [one for one in other.findings if one.code == "membership.leaks-or-differs"]
    assert finding.values["told"].code == "membership.told-by-rate"
    assert finding.values["why"].code == "membership.unclear-rate"
    assert "membership.leaks-few" not in codes(other)
