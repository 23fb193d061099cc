"""What got worse, beyond noise: quiet over nulls, loud on what was planted, never a pass without a baseline."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from importlib.resources import files

import jsonschema
import numpy as np
import pytest
from scipy import stats

from probes.errors import ConfigError, InputError
from probes.pairing import Pairing
from probes.result import Estimate, Result
from probes.texts import said
from reports import archive, per_sample
from reports.comparison.compare import compare, worsening
from reports.gate.judge import judge
from reports.gate.thresholds import Gate, Threshold
from reports.report import Comparison, Difference, Report, Verdict
from tests.reports.sample import TODAY, sample
from tests.reports.simulated import HELD_OUT, MEMBERS, audit

PAIRED = {
    "checkpoint.train_accuracy", "checkpoint.held_out_accuracy", "checkpoint.accuracy_gap", "checkpoint.log_loss_gap",
    "checkpoint.brier", "recipe.accuracy_gap", "recipe.held_out_accuracy", "checkpoint.auc",
}  # fmt: skip


def hardness(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=MEMBERS + HELD_OUT)


def of(comparison: Comparison, name: str) -> Difference:
    return next(one for one in comparison.differences if one.estimate == name)


def without_samples(report: Report) -> Report:
    return archive.load(archive.dump(report))


def test_same_model_twice_is_the_same() -> None:
    rng = np.random.default_rng(0)
    report = audit(rng, hardness(rng))
    comparison = compare(report, report)
    assert {one.status for one in comparison.differences} == {"same", "untested"}
    assert all(one.change.value == 0 for one in comparison.differences)
    assert {one.estimate for one in comparison.differences if one.paired} == PAIRED
    assert "same weights" in said(comparison.notes[0])


def test_a_planted_worsening_is_found_and_an_improvement_raises_no_alarm() -> None:
    rng = np.random.default_rng(1)
    hard = hardness(rng)
    good, bad = audit(rng, hard), audit(rng, hard, skill=0.6, leak=1.8)
    worse = {one.estimate for one in compare(good, bad).where("worse")}
    assert {"checkpoint.held_out_accuracy", "recipe.held_out_accuracy", "checkpoint.auc", "recipe.auc"} <= worse
    turned = compare(bad, good)
    assert not turned.where("worse")
    assert {one.estimate for one in turned.where("better")} == worse


def test_a_model_that_did_not_change_is_neither_better_nor_worse_whatever_the_tool_measures() -> None:
    rng = np.random.default_rng(1)
    hard = hardness(rng)
    good, bad = audit(rng, hard), audit(rng, hard, skill=0.6, leak=1.8)
    later = dataclasses.replace(bad, version="1", model=good.model)
    comparison = compare(good, later)
    assert not comparison.where("worse")
    assert not comparison.where("better")
    assert of(comparison, "checkpoint.auc").status == "untested"
    assert "the weights are the same" in said(of(comparison, "checkpoint.auc").change.caveat)
    assert "neither better nor worse" in said(comparison.notes[0])
    assert "version" in said(comparison.notes[1])
    nameless = [dataclasses.replace(one, model={"name": "n"}) for one in (good, bad)]
    assert compare(*nameless).where("worse")


def test_pairing_finds_what_two_intervals_hide() -> None:
    rng = np.random.default_rng(2)
    hard = hardness(rng)
    good, bad = audit(rng, hard), audit(rng, hard, skill=0.9)
    paired, unpaired = compare(good, bad), compare(without_samples(good), bad)
    name = "checkpoint.held_out_accuracy"
    assert of(paired, name).paired
    assert not of(unpaired, name).paired
    assert "samples.csv" in said(unpaired.notes[0])
    width = [of(one, name).change.high - of(one, name).change.low for one in (paired, unpaired)]
    assert width[0] < 0.85 * width[1]


def nulls(pairs: Sequence[tuple[Report, Report]]) -> float:
    """Share of comparisons in which anything was claimed."""
    claimed = [bool(c.where("worse") or c.where("better")) for c in (compare(old, new) for old, new in pairs)]
    return sum(claimed) / len(claimed)


@pytest.mark.parametrize("kind", ["paired", "other data"])
@pytest.mark.parametrize("count", [60, pytest.param(2000, marks=pytest.mark.slow)])
def test_at_most_five_percent_of_equal_models_differ(kind: str, count: int) -> None:
    rng = np.random.default_rng(3)
    pairs = []
    for _ in range(count):
        hard = hardness(rng)
        new = hard if kind == "paired" else hardness(rng)
        pairs.append((audit(rng, hard), audit(rng, new, fingerprint="ff" if kind == "paired" else "00")))
    # At 5 % more has a probability below 1 %.
    assert nulls(pairs) <= stats.binom.ppf(0.99, count, 0.05) / count


def test_what_cannot_be_tested_is_shown_and_not_tested() -> None:
    rng = np.random.default_rng(4)
    hard = hardness(rng)
    comparison = compare(audit(rng, hard), audit(rng, hard, leak=3.0))
    untested = {one.estimate for one in comparison.where("untested")}
    assert untested == {"epsilon.lower_bound", "attack.loss.auc", "checkpoint.gap_rank"}
    assert "without an interval" in said(of(comparison, "epsilon.lower_bound").change.caveat)


def test_shares_differ_by_one_at_most() -> None:
    old, new = (
        dataclasses.replace(sample(), model={"name": str(value)}, results=(Result(
            probe="p", params={}, estimates=tuple(wide(f"checkpoint.found_{i}", value) for i in range(40))
        ),))
        for value in (0.5, 0.6)
    )  # fmt: skip
    changes = [one.change for one in compare(old, new).differences]
    assert all((one.low, one.high) == (-1.0, 1.0) for one in changes)
    assert changes[0].value == pytest.approx(0.1)


def wide(name: str, value: float) -> Estimate:
    """Of so few samples that the level left by forty tests takes its interval beyond what shares can be."""
    return Estimate(name=name, value=value, low=0.0, high=1.0, n=6, unit="fraction", better="lower", dof=5.0)


def test_folds_that_both_have_are_pairs_where_one_has_more_of_them() -> None:
    rng = np.random.default_rng(6)
    hard = hardness(rng)
    old, new = audit(rng, hard, repeats=3), audit(rng, hard, repeats=2)
    folds = [report.results[0].figures[0].columns["accuracy"] for report in (old, new)]  # type: ignore[union-attr]
    of_all, of_fewer = np.array(folds[0])[12:], np.array(folds[1])[8:]
    found = of(compare(old, new), "recipe.held_out_accuracy")
    assert found.paired
    assert found.change.n == 8
    assert found.change.value == pytest.approx((of_fewer - of_all[:8]).mean())


def test_other_splits_and_seeds_are_not_paired() -> None:
    rng = np.random.default_rng(5)
    hard = hardness(rng)
    old, new = audit(rng, hard), audit(rng, hard, seed=1)
    assert not of(compare(old, new), "recipe.accuracy_gap").paired
    assert of(compare(old, new), "checkpoint.brier").paired
    moved = dataclasses.replace(old, results=tuple(_swapped(one) for one in old.results))
    assert not any(one.paired for one in compare(moved, new).differences)


def _swapped(result: object) -> Result:
    assert isinstance(result, Result)
    if "split" not in result.per_sample:
        return result
    split = result.per_sample["split"].copy()
    split[0], split[-1] = split[-1], split[0]
    return dataclasses.replace(result, per_sample={**result.per_sample, "split": split})


def test_columns_that_are_not_the_estimates_are_not_believed() -> None:
    rng = np.random.default_rng(6)
    hard = hardness(rng)
    old, new, other = audit(rng, hard), audit(rng, hard), audit(rng, hard, skill=0.2)
    swapped = dataclasses.replace(
        old,
        results=tuple(
            dataclasses.replace(one, per_sample=strange.per_sample)
            for one, strange in zip(old.results, other.results, strict=True)
            if isinstance(one, Result) and isinstance(strange, Result)
        ),
    )
    assert not of(compare(swapped, new), "checkpoint.held_out_accuracy").paired


def test_nothing_in_common_is_an_error() -> None:
    rng = np.random.default_rng(7)
    empty = dataclasses.replace(audit(rng, hardness(rng)), results=())
    with pytest.raises(InputError, match="no estimate in common"):
        compare(empty, audit(rng, hardness(rng)))


def test_files_keep_samples_and_comparison() -> None:
    rng = np.random.default_rng(8)
    hard = hardness(rng)
    old, new = audit(rng, hard), audit(rng, hard, skill=0.6)
    back = per_sample.from_csv(without_samples(old), per_sample.to_csv(old))
    comparison = compare(back, new)
    assert comparison == compare(old, new)
    text = archive.dump(dataclasses.replace(new, comparison=comparison))
    schema = json.loads((files("reports") / "schema" / "results.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(json.loads(text), schema)
    assert archive.load(text).comparison == comparison
    with pytest.raises(archive.ArchiveError, match="truncated"):
        per_sample.from_csv(old, per_sample.to_csv(old)[:-9])


def margin(bound: float, estimate: str = "checkpoint.held_out_accuracy") -> Gate:
    threshold = Threshold(probe="overfitting", estimate=estimate, direction="max", bound=bound, against="baseline")
    return Gate(thresholds=(threshold,))


def judged(old: Report, new: Report, bound: float, estimate: str = "checkpoint.held_out_accuracy") -> Verdict:
    return judge(new.results, margin(bound, estimate), today=TODAY, comparison=compare(old, new))


def test_no_worse_than_by_a_margin() -> None:
    rng = np.random.default_rng(9)
    hard = hardness(rng)
    old, same, bad = audit(rng, hard), audit(rng, hard), audit(rng, hard, skill=0.3)
    assert judged(old, old, 0.02).status == "pass"
    assert judged(old, same, 0.15).status == "pass"
    assert judged(old, same, 0.001).status == "undecided"
    assert judged(old, bad, 0.02).status == "fail"
    assert judged(bad, old, 0.02).status == "pass"
    check = judged(old, bad, 0.02).checks[0]
    assert check.against == "baseline"
    assert check.value == pytest.approx(worsening(of(compare(old, bad), check.estimate)).value)
    assert said(check.because).startswith("Worse than the baseline by")


def test_no_baseline_is_an_error_and_never_a_pass() -> None:
    report = sample()
    with pytest.raises(ConfigError, match="--baseline"):
        judge(report.results, margin(0.02, "recipe.accuracy_gap"), today=TODAY)
    rng = np.random.default_rng(10)
    hard = hardness(rng)
    old, new = audit(rng, hard), audit(rng, hard)
    with pytest.raises(ConfigError, match="has no better direction"):
        judged(old, new, 0.1, "checkpoint.gap_rank")
    bounds = Gate(
        thresholds=(
            Threshold(
                probe="membership", estimate="epsilon.lower_bound", direction="max", bound=9.0, against="baseline"
            ),
        )
    )
    assert judge(new.results, bounds, today=TODAY, comparison=compare(old, new)).status == "undecided"


def test_an_inferior_model_passes_with_at_most_five_percent() -> None:
    """Worse by exactly the margin: the true accuracies differ by what 10⁵ samples say they do."""
    rng = np.random.default_rng(11)
    many = rng.normal(size=400_000)
    noise = 0.7 * rng.normal(size=400_000)
    drop = float(((1.5 - many + noise) > 0).mean() - ((1.0 - many + noise) > 0).mean())
    passed = 0
    for _ in range(60):
        hard = hardness(rng)
        passed += judged(audit(rng, hard), audit(rng, hard, skill=1.0), drop).status == "pass"
    # 60 pairs at 5 %: more than 8 have a probability below 1 %.
    assert passed <= 8


def test_estimates_of_a_strangers_probe_are_paired_by_what_they_say_of_themselves() -> None:
    rng = np.random.default_rng(8)
    hard = hardness(rng)
    loss = rng.normal(size=len(hard))

    def with_theirs(report: Report, column: np.ndarray) -> Report:
        made_of = Pairing(statistic="mean", columns=("theirs.regret",), part="held_out")
        kept = column[MEMBERS:]
        value, half = float(kept.mean()), 1.96 * float(kept.std()) / np.sqrt(len(kept))
        mine = Estimate(
            name="mean regret", value=value, low=value - half, high=value + half, n=len(kept), unit="nats",
            better="lower", pairing=made_of,
        )  # fmt: skip
        theirs = Result(probe="theirs", params={}, estimates=(mine,), per_sample={"regret": column})
        return dataclasses.replace(report, results=(*report.results, theirs))

    old, new = with_theirs(audit(rng, hard), loss), with_theirs(audit(rng, hard), loss + 0.1)
    found = of(compare(old, new), "mean regret")
    assert found.paired
    assert found.status == "worse"
    assert found.change.high - found.change.low < 1e-5
    written = archive.load(archive.dump(new)).results[-1]
    assert isinstance(written, Result)
    assert written.estimates[0].pairing == new.results[-1].estimates[0].pairing  # type: ignore[union-attr]


def test_a_file_contains_only_attributes_that_differ_from_their_defaults() -> None:
    rng = np.random.default_rng(9)
    report = audit(rng, hardness(rng))
    written = archive.dump(report)
    assert not {"pairing", "aid", "tradeoff"} & {
        key for one in json.loads(written)["results"] for key in one["estimates"][0]
    }
    assert archive.load(written).results[0].estimates == report.results[0].estimates  # type: ignore[union-attr]
    changed = dataclasses.replace(
        report.results[0],
        estimates=tuple(dataclasses.replace(one, pairing=None, aid=True) for one in report.results[0].estimates),  # type: ignore[union-attr]
    )
    read = archive.load(archive.dump(dataclasses.replace(report, results=(changed,)))).results[0]
    assert read.estimates == changed.estimates  # type: ignore[union-attr]
