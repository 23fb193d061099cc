"""What attackers with models of their own would find is forecast from attacks that need none."""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from probes.evidence import Evidence
from probes.membership import Membership
from probes.membership.forecast import AUC, HELD, SATURATED, TPR, forecast, scale_of
from probes.population import Population
from tests.probes.membership.worlds import World


@pytest.fixture(scope="module")
def benchmark() -> Iterator[ModuleType]:
    folder = Path(__file__).parents[3] / "benchmarks"
    sys.path.insert(0, str(folder))
    spec = importlib.util.spec_from_file_location("forecast_benchmark", folder / "forecast.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["forecast_benchmark"] = module
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(folder))


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
    assert finding.values["held"] == HELD >= found.level, "the report says how often the interval held elsewhere"


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
    bounded, unbounded = (forecast(score + gap * member, member) for gap in (0.5, 3.0))
    assert all(one.high < 1 for one in bounded)
    assert all(one.high == 1 for one in unbounded)


def test_the_published_lines_forecast_more_from_either_sign() -> None:
    assert min(AUC.auc, AUC.tail, TPR.auc, TPR.tail) > 0


def test_a_forecast_is_less_certain_the_more_the_plain_attack_finds_and_the_higher_the_level() -> None:
    scale = scale_of(AUC, np.array([-1.0, 0.0, 1.0, 2.0]))
    assert scale[0] == scale[1] < scale[2] < scale[3]
    member = np.arange(200) < 100
    score = np.random.default_rng(1).normal(size=200)
    narrow, wide = (forecast(score, member, level)[0] for level in (0.9, 0.99))
    assert wide.low < narrow.low < narrow.value < narrow.high < wide.high


def test_a_quantile_over_data_sets_counts_each_once_and_an_unseen_one_as_beyond_all(benchmark: ModuleType) -> None:
    """Against the definition, sample by sample; with one large data set that would otherwise decide alone."""
    rng = np.random.default_rng(0)
    sources = np.repeat(np.arange(40), [1000, *[5] * 39])
    found = np.where(sources == 0, 9.0, rng.normal(size=len(sources)))
    weight = 1 / np.bincount(sources)[sources]
    rows = benchmark.Rows(
        **dict.fromkeys(benchmark.Rows.__dataclass_fields__, found) | {"source": sources, "weight": weight}
    )
    for share in (0.51, 0.81, 0.93):
        slow = min(one for one in found if weight[found <= one].sum() / 41 >= share)
        assert benchmark.reached(found, rows, share) == slow
    assert benchmark.reached(found, rows, 0.5) < 1 < benchmark.reached(found, rows, 0.96) == 9.0
    assert benchmark.reached(found, rows, 0.99) == np.inf


def test_the_fit_finds_a_line_whose_errors_grow_and_its_intervals_hold_for_unseen_data_sets(
    benchmark: ModuleType,
) -> None:
    """Data sets differ by more than their models do; intervals from those left out hold for the new ones."""
    rng = np.random.default_rng(0)
    true = dataclasses.replace(AUC, constant=0.8, auc=0.9, tail=0.2, spread=0.25, growth=0.4)

    def drawn(data_sets: int) -> Any:
        source = np.repeat(np.arange(data_sets), 30)
        given = np.stack([np.ones(len(source)), rng.normal(0.5, 0.8, len(source)), rng.normal(-2, 1, len(source))], -1)
        off = (rng.normal(size=data_sets)[source] + 0.5 * rng.normal(size=len(source))) / np.sqrt(1.25)
        wanted = given @ [0.8, 0.9, 0.2] + off * scale_of(true, given[:, 1])
        more = {"plain": given[:, 1], "weight": np.full(len(source), 1 / 30), "pretrained": source < 0}
        return benchmark.Rows(given=given, wanted=wanted, source=source, **more)

    rows, unseen = drawn(60), drawn(400)
    line = benchmark.fitted(rows)
    for name in ("constant", "auc", "tail", "spread", "growth"):
        assert getattr(line, name) == pytest.approx(getattr(true, name), abs=0.15), name
    beyond, new = benchmark.left_out(rows), benchmark.off(unseen, line)
    inside = (new >= -benchmark.reached(-beyond, rows, 0.975)) & (new <= benchmark.reached(beyond, rows, 0.975))
    assert inside.mean() > 0.93


@pytest.mark.slow
def test_its_interval_holds_what_replicas_find_on_data_that_it_was_not_fitted_on(benchmark: ModuleType) -> None:
    """The relation between attacks is the trees', networks' and linear models'; the data are generated anew."""
    from sklearn.datasets import make_classification

    held = []
    for seed, apart in ((11, 0.6), (12, 1.2)):
        table = make_classification(
            800, 25, n_informative=10, n_classes=3, class_sep=apart, flip_y=0.1, random_state=seed
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for name, make in benchmark.of_table(f"new {seed}", table, 240):
                rows = benchmark.rows_of({name: make()}, 0)
                beyond = benchmark.off(rows, AUC)
                held.append((beyond >= -AUC.below) & ((beyond <= AUC.above) | (rows.plain > SATURATED)))
    assert np.mean(held) > 0.9
