"""What attackers with models of their own would find is forecast from attacks that need none."""

from __future__ import annotations

import dataclasses
import importlib.util
import warnings
from pathlib import Path

import numpy as np
import pytest

from probes.evidence import Evidence, Population
from probes.membership import Membership
from probes.membership.forecast import AUC, HELD, TPR, forecast
from tests.probes.membership.worlds import World


def alone(evidence: Evidence) -> Evidence:
    """The same, without a replica."""
    nothing = np.zeros(0, dtype=np.int64)
    return dataclasses.replace(evidence, population=Population(rows=(), answers=evidence.audited[nothing]))


def test_without_replicas_the_report_forecasts_and_says_so() -> None:
    evidence = alone(World(leak=1.0, seed=0, members=80, held_out=80, repeats=2).evidence())
    result = Membership(inside=False)(evidence, np.random.default_rng(0))
    assert [one.code for one in result.findings].count("membership.forecast") == 1
    found = result["forecast.auc"]
    assert found.low < found.value < found.high
    assert found.caveat is not None, "a gate could pass on a forecast"
    (finding,) = [one for one in result.findings if one.code == "membership.forecast"]
    assert finding.values["held"] == HELD < found.level, "the report says how often the interval held elsewhere"


def test_with_replicas_nothing_is_forecast() -> None:
    evidence = World(leak=1.0, seed=0, members=80, held_out=80, repeats=2).evidence()
    result = Membership(repeats=2, inside=False)(evidence, np.random.default_rng(0))
    assert "membership.forecast" not in {one.code for one in result.findings}


def test_more_leakage_of_the_plain_attack_forecasts_more() -> None:
    rng = np.random.default_rng(0)
    member = np.arange(400) < 200
    aucs, rates = zip(*(forecast(rng.normal(size=400) + gap * member, member) for gap in (0.0, 1.0, 2.0)), strict=True)
    for found in (aucs, rates):
        assert [one.value for one in found] == sorted(one.value for one in found)
    assert aucs[0].low < 0.5 < aucs[0].high


@pytest.mark.parametrize("score", [np.zeros(40), np.arange(40.0), -np.arange(40.0)])
def test_answers_at_the_edge_are_finite(score: np.ndarray) -> None:
    for one in forecast(score, np.arange(40) < 20):
        assert 0 < one.low < one.value < one.high <= 1


def test_where_the_plain_attack_finds_nearly_all_nothing_bounds_it_from_above() -> None:
    member = np.arange(400) < 200
    score = np.random.default_rng(0).normal(size=400)
    bounded, unbounded = (forecast(score + gap * member, member) for gap in (1.0, 3.0))
    assert all(one.high < 1 for one in bounded)
    assert all(one.high == 1 for one in unbounded)


def test_the_published_lines_forecast_more_from_either_sign() -> None:
    assert min(AUC.auc, AUC.tail, TPR.auc, TPR.tail) > 0


@pytest.mark.slow
def test_its_interval_holds_what_replicas_find_on_data_that_it_was_not_fitted_on() -> None:
    """The relation between attacks is the trees', networks' and linear models'; the data are generated anew."""
    from sklearn.datasets import make_classification

    path = Path(__file__).parents[3] / "benchmarks" / "forecast.py"
    spec = importlib.util.spec_from_file_location("forecast_benchmark", path)
    assert spec is not None
    assert spec.loader is not None
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    made = {
        f"new {seed}": make_classification(
            800, 25, n_informative=10, n_classes=3, class_sep=apart, flip_y=0.1, random_state=seed
        )
        for seed, apart in ((11, 0.6), (12, 1.2))
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pairs = np.array([one for _, one in benchmark.populations(8, made, seed=5)])
    truth = benchmark.known(pairs)["AUC"]
    held = []
    for population, known in zip(pairs, truth, strict=True):
        n = int(population[0, -1])
        centre = AUC.constant + AUC.auc * benchmark.logit(population[:, 0], n)
        centre = centre + AUC.tail * benchmark.logit(population[:, 1], n)
        held.append(np.abs(centre - benchmark.logit(known, n)) <= 2.306 * AUC.spread)
    assert np.mean(held) > 0.9
