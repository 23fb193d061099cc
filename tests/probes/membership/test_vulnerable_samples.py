"""Whom leakage hurts and why, how certain that is, and how it falls with data: what was planted is found."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from probes.answers import Answers, answers
from probes.evidence import Evidence
from probes.measures.exact_duplicates import repeated
from probes.membership.copies import sets_of_copies
from probes.membership.exposure import Exposure, differences, exposure
from probes.membership.exposure_by_stratum import mean_exposure, uneven
from probes.membership.resolution import certainty, precision_table, reach
from probes.membership.samples_per_class import samples_per_class
from probes.membership.vulnerable_samples import explanations, halves
from probes.plan import Pool, Splits
from probes.population import Population
from probes.result import Estimate
from probes.statistics.threshold import tpr_at_true_fpr
from probes.texts import said
from tests.probes.membership.worlds import World, stack


def planted(seed: int, *, rare: float = 0.0, noisy: float = 0.0, copies: float = 0.0, ward: float = 0.0) -> Evidence:
    """100 + 100 samples of two classes. Exposure is 1 plus: `rare` times a standard-normal rarity that also lowers the
    margin, `noisy` for the 30 mislabelled ones, −`copies` for 30 copied ones, `ward` for members of group 0."""
    rng = np.random.default_rng(seed)
    n = 200
    part = rng.permutation(np.repeat([0, 1], 100))
    groups = rng.integers(0, 4, n)
    pool = Pool(
        labels=rng.integers(0, 2, n),
        member=part == 0,
        held_out=part == 1,
        validation=np.zeros(n, dtype=bool),
        groups=groups,
    )
    rarity, mislabelled, copied = rng.normal(size=n), np.arange(n) < 30, (np.arange(n) >= 30) & (np.arange(n) < 60)
    leak = 1 + rare * rarity + noisy * mislabelled - copies * copied + ward * (groups == 0)
    base = 1.5 - (rarity if rare else 0) - 6 * mislabelled * (noisy > 0)
    inputs = rng.normal(size=(n, 3)).astype(np.float32)
    inputs[30:60] = np.repeat(inputs[30:45], 2, axis=0)

    def model(keep: np.ndarray) -> Answers:
        logits = np.zeros((1, n, 2))
        logits[0, np.arange(n), pool.labels] = base + leak * keep + rng.normal(0, 0.7, n)
        return answers(logits, pool.labels)

    rows = list(Splits(repeats=8).rows(dataclasses.replace(pool, groups=None), rng))
    return Evidence(
        pool=pool,
        classes=("a", "b"),
        audited=model(pool.member),
        population=Population(rows=tuple(rows), answers=stack([model(row.keep) for row in rows], n)),
        inputs=inputs,
        modality="table",
        group_names=("north", "south", "east", "west"),
    )


def codes(evidence: Evidence) -> set[str]:
    copied = repeated(sets_of_copies(evidence))
    return {one.code for one in explanations(evidence, evidence.population, 0.95, copied).findings}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"rare": 0.7}, "membership.rarity-exposes"),
        ({"noisy": 2.0}, "membership.label-noise-exposes"),
        ({"copies": 1.0}, "membership.copies-hide"),
    ],
)
def test_what_explains_exposure_is_found(change: dict[str, float], code: str) -> None:
    assert code in codes(planted(0, **change))


def test_where_nothing_explains_it_that_is_said() -> None:
    """Three tests at 5 % in all: of 20 draws at most 4 (p < 2 %) find something."""
    found = [codes(planted(seed)) for seed in range(20)]
    assert sum(one != {"membership.exposure-unexplained"} for one in found) <= 4


def test_shared_noise_explains_nothing() -> None:
    """From the same replicas, noise of the out-replicas alone ties exposure to rarity; halves do not."""
    evidence = planted(1)
    population = evidence.population
    value = exposure(population.answers.margin, population.keep, population.order).value
    out = np.where(population.keep, np.nan, population.answers.margin.astype(float))
    naive = np.corrcoef(value, -np.nanmean(out, axis=0))[0, 1]
    nothing = np.zeros(len(evidence.pool.indices), dtype=bool)
    (honest, *_) = explanations(evidence, population, 0.95, nothing).estimates
    assert naive > 0.3
    assert abs(honest.value) < 0.25


def test_halves_share_no_order() -> None:
    one, other = halves(planted(2).population)
    assert not {row.order for row in one.rows} & {row.order for row in other.rows}
    assert len(one) + len(other) == 16


def changes(evidence: Evidence) -> tuple[Exposure, np.ndarray]:
    population = evidence.population.design("splits")
    of = population.answers.margin, population.keep, population.order
    return exposure(*of), differences(*of)


def test_what_models_add_to_whole_groups_is_not_uneven_exposure() -> None:
    """Whole groups are in one fold here, so such a shift stands in every member's exposure: over samples alone, 40 % of
    300 draws alarmed; at 1 %, of 60 draws at most 3 do (p < 0.4 %)."""
    alarms = 0
    for seed in range(60):
        world = World(leak=0.0, seed=seed, members=150, held_out=50, repeats=4, groups=8, shared=0.5)
        evidence = world.evidence()
        alarms += bool(uneven(evidence, *changes(evidence), 0.95))
    assert alarms <= 3


def test_an_uneven_group_is_named() -> None:
    evidence = planted(3, ward=1.5)
    exposed, change = changes(evidence)
    (finding,) = uneven(evidence, exposed, change, 0.95)
    assert finding.values["name"] == "north"
    columns = mean_exposure(evidence, exposed, change, "group", 0.95)
    north = columns["group"].index("north")
    assert columns["low"][north] > max(columns["exposure"][:north] + columns["exposure"][north + 1 :])


def fading(seed: int) -> Evidence:
    return World(leak=12.0, fades=0.5, seed=seed, members=120, held_out=120, validation=0, repeats=6).evidence()


def test_leakage_that_falls_with_samples_is_found() -> None:
    part = samples_per_class(fading(0), np.random.default_rng(0), 0.95)
    exponent, doubled = part.estimates
    assert exponent.low > 0.2
    assert doubled.high < 0.9
    assert {one.code for one in part.findings} == {"membership.falls-with-samples"}
    (chart,) = part.figures
    assert chart.columns["samples per class"] == [15.0, 30.0, 60.0]


def test_leakage_that_rises_with_samples_is_not_called_unclear() -> None:
    evidence = World(leak=0.3, fades=-0.5, seed=0, members=120, held_out=120, validation=0, repeats=6).evidence()
    (finding,) = samples_per_class(evidence, np.random.default_rng(0), 0.95).findings
    assert finding.code == "membership.rises-with-samples"
    assert 0 < float(finding.values["low"]) < float(finding.values["exponent"]) < float(finding.values["high"])


def test_the_exponents_interval_covers() -> None:
    """Margins of equal normals whose distance falls with the power 0.5: of 25 intervals at most 4 miss (p < 1 %)."""
    found = [samples_per_class(fading(seed), np.random.default_rng(seed), 0.95).estimates[0] for seed in range(25)]
    assert sum(not one.low <= 0.5 <= one.high for one in found) <= 4
    assert abs(np.mean([one.value for one in found]) - 0.5) < 0.1


def test_what_twice_the_data_brings_against_a_model_with_twice_the_data() -> None:
    """The truth: the AUC of the same attack on a world twice as large, over worlds."""
    hit = 0
    for seed in range(12):
        _, doubled = samples_per_class(fading(seed), np.random.default_rng(seed), 0.95).estimates
        larger = World(leak=12.0, fades=0.5, seed=seed, members=240, held_out=240, validation=0, repeats=6).evidence()
        measured = samples_per_class(larger, np.random.default_rng(seed), 0.95)
        truth = measured.figures[0].columns["auc"][-1]
        hit += doubled.low - 0.02 <= truth <= doubled.high + 0.02
    assert hit >= 10


def test_without_leakage_the_law_is_not_resolvable() -> None:
    evidence = World(leak=0.0, fades=0.0, seed=0, members=60, held_out=60, validation=0, repeats=4).evidence()
    part = samples_per_class(evidence, np.random.default_rng(0), 0.95)
    assert "not resolvable" in said(part.estimates[0].caveat)
    assert {one.code for one in part.findings} == {"membership.sizes-unclear"}


def test_one_size_has_no_law() -> None:
    assert not samples_per_class(World(leak=1.0, seed=0).evidence(), np.random.default_rng(0), 0.95).estimates


def auc_estimate(half: float) -> Estimate:
    return Estimate(name="a", value=0.6, low=0.6 - half, high=0.6 + half, n=100, unit="AUC")


def test_what_more_would_resolve() -> None:
    table = precision_table(auc_estimate(0.08), auc_estimate(0.04), 100, 4, 8)
    assert table.columns["AUC of this model, ±"] == [0.08, 0.057, 0.04]
    assert table.columns["AUC of this recipe, ±"][1] == pytest.approx(0.04 * reach(8) / reach(4), abs=1e-3)
    part = certainty(auc_estimate(0.08), None, (0.05, 0.01, 0.001), 150, 0, 0)
    (finding,) = part.findings
    assert finding.values == {"have": 150, "fpr": 0.001, "needed": 1000}
    assert part.figures[0].columns["resolved"] == ["yes", "yes", "no"]
    assert not certainty(auc_estimate(0.08), None, (0.05,), 150, 0, 0).findings


def test_a_low_end_of_zero_says_what_would_resolve_it() -> None:
    part = certainty(auc_estimate(0.08), None, (0.05, 0.01), 400, 0, 0, attacks=15)
    (note,) = part.notes
    assert dict(note.values) == {"fpr": 0.01, "have": 400, "needed": 637}
    rng = np.random.default_rng(0)
    for have, above in ((436, False), (437, True)):
        member = np.arange(2 * have) < have
        found = tpr_at_true_fpr(rng.normal(size=2 * have) + 50 * member, member, 0.01)
        assert (found.low > 0) == above
