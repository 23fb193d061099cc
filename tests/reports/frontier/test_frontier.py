"""The frontier: dominance, the candidate that is recommended, and its form in every format."""

from __future__ import annotations

import dataclasses
import io
import json

import pytest

from probes.message import Message
from probes.result import Result
from reports.comparison.compare import compare
from reports.frontier.formats import as_json, console, html, markdown, sentence
from reports.frontier.frontier import AS_IS, Frontier, Tried, charts, folder_of
from reports.gate.judge import judge
from reports.gate.thresholds import Gate, Threshold
from reports.report import Report
from reports.wording.catalogue import words
from tests.reports.sample import HOSTILE, TODAY, declared, estimate

ACCURACY, LEAKAGE = ("overfitting", "recipe.held_out_accuracy"), ("membership", "recipe.auc")
GATE = Gate(thresholds=(Threshold(probe="membership", estimate=LEAKAGE[1], direction="max", bound=0.6),))


def audited(accuracy: float, auc: float, half: float = 0.01) -> Report:
    results = [
        Result(
            probe="overfitting",
            params={},
            estimates=(
                estimate(ACCURACY[1], accuracy, half, better="higher"),
                estimate("recipe.accuracy_gap", 0.1, half),
            ),
        ),
        Result(probe="membership", params={}, estimates=(estimate(LEAKAGE[1], auc, half, unit="AUC"),)),
    ]
    results = [declared(result) for result in results]
    return Report(
        version="0",
        model={"name": HOSTILE, "digest": f"{accuracy}{auc}"},
        data={"fingerprint": "f"},
        audit={},
        results=tuple(results),
        verdict=judge(results, GATE, today=TODAY),
    )


def frontier(*candidates: tuple[str, float, float], as_is: tuple[float, float] = (0.9, 0.8)) -> Frontier:
    own = audited(*as_is)
    tried = [Tried(name=AS_IS, report=own)]
    for name, accuracy, auc in candidates:
        report = audited(accuracy, auc)
        tried.append(Tried(name=name, report=report, against=compare(own, report)))
    return Frontier(tried=tuple(tried), refused={"augment": "only images can be cropped."})


def test_the_most_accurate_of_those_that_pass_is_chosen() -> None:
    found = frontier(("dp=1", 0.7, 0.5), ("dp=8", 0.8, 0.52), ("l2=0.01", 0.89, 0.79))
    assert found.chosen is not None
    assert found.chosen.name == "dp=8"
    assert (found.status, found.exit_code) == ("pass", 0)


def test_a_recipe_that_passes_needs_none() -> None:
    found = frontier(("dp=8", 0.95, 0.5), as_is=(0.9, 0.52))
    assert found.chosen is not None
    assert found.chosen.name == AS_IS
    assert "as it is" in sentence(found, words("en"))


def test_none_is_chosen_where_none_passes() -> None:
    failing = frontier(("l2=0.01", 0.89, 0.79))
    assert (failing.chosen, failing.exit_code) == (None, 1)
    unsure = frontier(("l2=0.01", 0.89, 0.601))
    assert (unsure.chosen, unsure.exit_code) == (None, 3)


def test_dominated_candidates_are_not_on_the_frontier() -> None:
    found = frontier(("worse", 0.85, 0.85), ("private", 0.8, 0.5), ("both", 0.9, 0.8))
    # What equals another in everything is dominated by neither.
    assert found.efficient == {AS_IS, "private", "both"}


def test_changes_are_those_beyond_noise() -> None:
    found = frontier(("private", 0.8, 0.5), ("near", 0.901, 0.799))
    private, near = found.tried[1:]
    assert (private.change(ACCURACY), private.change(LEAKAGE)) == ("worse", "better")
    assert (near.change(ACCURACY), near.change(LEAKAGE)) == ("same", "same")


def test_a_measure_that_one_lacks_is_left_out() -> None:
    found = frontier(("private", 0.8, 0.5))
    assert found.measures == (ACCURACY, LEAKAGE, ("overfitting", "recipe.accuracy_gap"))
    assert [chart.mark for chart in charts(found, words("en"))] == ["points", *["interval"] * 3]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_format_names_the_choice(lang: str) -> None:
    from rich.console import Console

    found, say = frontier(("dp=8", 0.8, 0.52)), words(lang)
    screen = Console(width=80, file=io.StringIO(), record=True)
    screen.print(console(found, say))
    printed = screen.export_text()
    for text in (printed, markdown(found, say), html(found, say)):
        assert "dp=8" in text
        assert "80.0" in text
    assert max(map(len, printed.splitlines())) <= 80
    page = html(found, say)
    assert "<script>alert" not in page
    assert f'href="{folder_of("dp=8")}/report.html"' in page


@pytest.mark.parametrize(
    ("lang", "title"), [("en", "cross-validated accuracy of the recipe (%)"), ("zh", "配方的交叉验证准确率（%）")]
)
def test_axes_are_in_percent_as_the_table_is(lang: str, title: str) -> None:
    trade, *measures = charts(frontier(("dp", 0.8, 0.52)), words(lang))
    assert trade.y.title == title
    assert trade.columns["accuracy"] == [90.0, 80.0]
    assert trade.columns["risk"] == [0.8, 0.52]
    assert "%" in [chart.y.title for chart in measures]


def test_json_for_machines() -> None:
    content = json.loads(as_json(frontier(("dp=8", 0.8, 0.52))))
    assert content["chosen"] == "dp=8"
    assert content["candidates"][1]["measures"][0]["change"] == "worse"
    assert content["candidates"][1]["measures"][1]["value"] == 0.52
    assert content["refused"] == {"augment": "only images can be cropped."}


def test_what_a_probe_of_a_stranger_marks_is_weighed() -> None:
    """By what an estimate says of itself, whatever it is called and whichever probe made it."""
    found = frontier(("private", 0.8, 0.5))
    mine = estimate("rows.retrieved", 0.4, 0.01, tradeoff="risk")
    information = estimate("rows.seen", 0.4, 0.01, better="neither", tradeoff="risk")
    theirs = Result(probe="theirs", params={}, estimates=(information, mine))
    tried = tuple(
        dataclasses.replace(one, report=dataclasses.replace(one.report, results=(theirs, *one.report.results)))
        for one in found.tried
    )
    assert Frontier(tried=tried).measures == (
        ACCURACY,
        LEAKAGE,
        ("overfitting", "recipe.accuracy_gap"),
        ("theirs", "rows.retrieved"),
        ("theirs", "rows.seen"),
    )


def test_why_a_countermeasure_does_not_apply_is_said_in_the_reports_language() -> None:
    found = dataclasses.replace(frontier(), refused={"l2": Message("audit.mitigation-strong-already")})
    for lang, says in (("en", "already has at least this strength"), ("zh", "配方的强度已不低于此")):
        assert says in html(found, words(lang))
        assert says in markdown(found, words(lang))
