"""A split that differs is not called leakage; a random one is let alone."""

from __future__ import annotations

import dataclasses

import numpy as np

from probes.evidence import Canaries, Evidence, PrivacyClaim
from probes.membership import Membership
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
