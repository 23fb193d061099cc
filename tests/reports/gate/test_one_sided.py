"""A one-sided bound can violate a threshold, but never show that it is met; every format states this."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Literal
from xml.etree import ElementTree as ET

import pytest

from probes.result import Estimate, Result
from reports import archive
from reports.document.outline import outline
from reports.formats import html, junit
from reports.gate.judge import judge
from reports.gate.thresholds import Gate, Threshold
from reports.report import Report
from tests.reports.sample import TODAY, estimate, sample

Side = Literal["lower", "upper"]


def bound(value: float, side: Side = "lower", name: str = "epsilon.lower_bound") -> Estimate:
    low, high = (value, math.inf) if side == "lower" else (-math.inf, value)
    return Estimate(name=name, value=value, low=low, high=high, n=400, unit="ε", better="lower", bound=side)


def report(*estimates: Estimate, direction: Literal["max", "min"] = "max", limit: float = 10.0) -> Report:
    results = (Result(probe="membership", params={}, estimates=estimates),)
    gate = Gate(
        thresholds=tuple(
            Threshold(probe="membership", estimate=one.name, direction=direction, bound=limit) for one in estimates
        )
    )
    return dataclasses.replace(sample(), results=results, verdict=judge(results, gate, today=TODAY))


@pytest.mark.parametrize(
    ("side", "direction", "value", "status"),
    [
        ("lower", "max", 2.08, "no-violation"),
        ("lower", "max", 12.0, "fail"),
        ("lower", "min", 12.0, "pass"),
        ("lower", "min", 2.08, "undecided"),
        ("upper", "max", 2.08, "pass"),
        ("upper", "max", 12.0, "undecided"),
        ("upper", "min", 12.0, "no-violation"),
        ("upper", "min", 2.08, "fail"),
    ],
)
def test_a_bound_speaks_for_its_own_side_alone(
    side: Side, direction: Literal["max", "min"], value: float, status: str
) -> None:
    check = report(bound(value, side), direction=direction).verdict.checks[0]
    assert check.status == status
    assert (check.low is None, check.high is None) == (side == "upper", side == "lower")


def test_bounds_alone_pass_nothing() -> None:
    assert report(bound(2.08)).verdict.status == "undecided"
    both = report(bound(2.08), estimate("recipe.auc", 0.5, 0.01))
    assert (both.verdict.status, both.verdict.exit_code) == ("pass", 0)


def test_every_format_says_that_no_violation_was_found_and_nothing_more() -> None:
    both = report(bound(2.08), estimate("recipe.auc", 0.5, 0.01))
    document = outline(both)
    assert document.sentence == (
        "Nothing that was checked blocks shipping: 1 of 2 checks are within their thresholds, uncertainty "
        "included. 1 bound shows no violation, which does not prove that there is none."
    )
    shown = next(check for check in document.checks if check.status == "no-violation")
    assert (shown.value, shown.interval, shown.level) == ("2.08", "lower bound", "95 %")
    assert shown.gauge is not None
    assert (shown.gauge.open, shown.gauge.high) == ("right", 100.0)
    case = next(one for one in ET.fromstring(junit.render(both)).iter("testcase") if "epsilon" in one.attrib["name"])
    assert case.find("failure") is None
    assert "shows no violation, but cannot rule one out" in str(case.findtext("system-out"))
    assert 'class="arrow"' in html.render(both)
    for lang in ("en", "zh"):
        words = outline(both, lang)
        assert "within" not in next(c for c in words.checks if c.status == "no-violation").because


def test_json_has_null_for_the_end_that_is_not_known() -> None:
    both = report(bound(2.08), bound(3.0, "upper", "epsilon.claimed"))
    text = archive.dump(both)
    found = {one["name"]: one for one in json.loads(text)["results"][0]["estimates"]}
    assert (found["epsilon.lower_bound"]["low"], found["epsilon.lower_bound"]["high"]) == (2.08, None)
    assert (found["epsilon.claimed"]["low"], found["epsilon.claimed"]["high"]) == (None, 3.0)
    assert archive.dump(archive.load(text)) == text
    assert [check["high"] for check in archive.verdict_json(both)["checks"]] == [None, 3.0]


def test_a_bound_from_a_file_that_did_not_say_so_is_one() -> None:
    content = json.loads(archive.dump(report(bound(2.08))))
    for one in content["results"][0]["estimates"]:
        one |= {"low": 2.08, "high": 2.08}
        del one["bound"]
    old = archive.load(json.dumps(content)).estimate("membership", "epsilon.lower_bound")
    assert old is not None
    assert (old.bound, old.high) == ("lower", math.inf)


def test_a_bound_with_two_ends_is_refused() -> None:
    with pytest.raises(ValueError, match="open on its other side"):
        Estimate(name="x", value=1.0, low=1.0, high=2.0, n=1, unit="ε", bound="lower")
