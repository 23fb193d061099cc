"""What a report says in each language."""

from __future__ import annotations

import ast
import dataclasses
import re
from pathlib import Path

import pytest

import probes
from probes.errors import InputError
from probes.message import Message
from probes.result import Estimate, Finding, Result
from reports import archive
from reports.document.outline import outline
from reports.gate.judge import judge
from reports.gate.thresholds import Gate, Threshold
from reports.report import Report
from reports.wording.catalogue import words
from tests.reports.sample import TODAY, full


def test_numbers_in_claims_are_spaced() -> None:
    values = {"value": 0.9123, "low": 0.8, "high": 0.95}
    finding = Finding(code="membership.label-noise-exposes", severity="info", values=values)
    assert "91 %（80 % 至 95 %）" in words("zh").claim(finding)
    assert "in 91 % (80 % to 95 %) of pairs" in words("en").claim(finding)
    gap = {"gap": 0.1234, "low": -0.1, "high": 0.15, "who": Message("overfitting.this-recipe")}
    assert (
        words("en")
        .claim(dataclasses.replace(finding, code="overfitting.gap", values=gap))
        .endswith("by 12.3 percentage points (−10.0 to 15.0).")
    )


def test_unknown_names_and_languages() -> None:
    say = words("en")
    loss = Estimate(
        name="attack.loss.auc", value=0.5, low=0.4, high=0.6, n=9, unit="AUC",
        title=Message("membership.attack-auc", {"attack": "loss"}),
    )  # fmt: skip
    assert say.title(loss, "membership") == "AUC of the attack loss alone"
    assert words("zh").title(loss, "membership") == "单独使用攻击 loss 的 AUC"
    assert say.estimate("strange.number", "") == "strange.number"
    assert say.probe("strange", "title") == "strange"
    with pytest.raises(InputError, match="no language"):
        words("tlh")


def test_what_a_strangers_probe_notes_in_plain_text_is_shown_as_it_is() -> None:
    assert words("zh").text("Only 40 {of} them") == "Only 40 {of} them"


def test_units_and_what_is_counted_have_their_chinese() -> None:
    """Of every estimate of a built-in probe: the source names them by `unit=` and `counted=`."""
    source = "".join(path.read_text(encoding="utf-8") for path in Path(probes.__file__).parent.rglob("*.py"))
    for table, field in (("units", "unit"), ("counted", "counted")):
        named = set(re.findall(rf'\b{field}="([^"]+)"', source)) - {"AUC", "CKA", "ε"}
        assert len(named) > 5
        assert {name for name in named if words("zh").texts.own(table, name) is None} == set()


LANGUAGES = ("en", "zh")


def titled(report: Report, lang: str) -> set[str]:
    """Estimates and checks of a report that are called by their bare names."""
    say = words(lang).about(report.results)
    estimates = {(one.probe, each.name) for one in report.results if isinstance(one, Result) for each in one.estimates}
    checked = {(check.probe, check.estimate) for check in report.verdict.checks}
    return {name for probe, name in estimates | checked if say.estimate(name, probe) == name}


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_estimate_of_the_sample_reports_has_a_title(lang: str) -> None:
    golden = Path(__file__).parents[1] / "golden"
    reports = [archive.load(path.read_text(encoding="utf-8")) for path in golden.glob("*.json")]
    assert len(reports) == 3
    assert set().union(*(titled(report, lang) for report in [*reports, full()])) == set()


def named_in_the_source() -> set[str]:
    """Names of estimates, `scope.metric`, that the built-in probes write out where no title of their own is beside
    them."""
    makers = {
        "Estimate",
        "proportion",
        "bootstrap_mean",
        "bootstrap_difference",
        "newcombe_difference",
        "newcombe_paired",
    }
    makers |= {"nadeau_bengio", "auc", "over_orders", "stratified_auc", "drift_index", "replace"}
    found = set()
    for path in Path(probes.__file__).parent.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call) or ast.unparse(call.func).rpartition(".")[2] not in makers:
                continue
            given = {word.arg: word.value for word in call.keywords}
            name = given.get("name", call.args[0] if call.args else None)
            if isinstance(name, ast.Constant) and "." in str(name.value) and "title" not in given:
                found.add(str(name.value))
    return found


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_estimate_that_a_probe_names_has_a_title(lang: str) -> None:
    names = named_in_the_source()
    assert len(names) > 25
    assert {name for name in names if words(lang).texts.own("estimates", name) is None} == set()


def test_a_check_is_called_what_its_estimate_says_of_itself() -> None:
    title = Message("membership.attack-auc", {"attack": "loss"})
    one = Estimate(name="attack.loss.auc", value=0.5, low=0.4, high=0.6, n=9, unit="AUC", title=title)
    results = (Result(probe="membership", params={}, estimates=(one,)),)
    gate = Gate(thresholds=(Threshold(probe="membership", estimate=one.name, direction="max", bound=0.7),))
    report = dataclasses.replace(full(), results=results, verdict=judge(results, gate, today=TODAY))
    assert [check.title for check in outline(report, "zh").checks] == ["单独使用攻击 loss 的 AUC"]
