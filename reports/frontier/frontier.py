"""Which countermeasure works: what each candidate recipe costs in accuracy and what it gains. A pure function of
audits.

All candidates are audited on the same samples and folds, so differences from the recipe as it is are found by paired
tests (Holm over all tests). A candidate is on the frontier if no other is at least as good in every measure and better
in one, judged by the values; intervals show how reliable that is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from probes.message import Text
from probes.result import Axis, Chart, Estimate, Result, Tradeoff
from reports.report import EXIT_CODES, Comparison, Report, Status
from reports.wording.catalogue import Words
from reports.wording.numbers import axis_scale, capitalized, percent

AS_IS = "as it is"
Name = tuple[str, str]
BEST_FIRST: tuple[Status, ...] = ("pass", "undecided", "fail", "error")


@dataclass(frozen=True, kw_only=True, eq=False)
class Tried:
    """A candidate's audit; `against` compares it with the recipe as it is (None for the recipe itself)."""

    name: str
    report: Report
    against: Comparison | None = None

    def estimate(self, name: Name) -> Estimate | None:
        return self.report.estimate(*name)

    def change(self, name: Name) -> str:
        """worse, better, same or untested against the recipe as it is; empty if there is nothing to compare."""
        differences = self.against.differences if self.against else ()
        return next((one.status for one in differences if (one.probe, one.estimate) == name), "")

    @property
    def passes(self) -> bool:
        return self.report.verdict.status == "pass"


@dataclass(frozen=True, kw_only=True, eq=False)
class Frontier:
    """`tried` starts with the recipe as it is; `refused` says why others do not apply or could not be trained."""

    tried: tuple[Tried, ...]
    refused: Mapping[str, Text] = field(default_factory=dict)

    @cached_property
    def measures(self) -> tuple[Name, ...]:
        """The measures by which candidates are compared: usefulness first, then risks, and neutral measures last."""
        asked = [
            ((one.tradeoff != "utility", one.better == "neither", result.probe), (result.probe, one.name))
            for result in self.tried[0].report.results
            if isinstance(result, Result)
            for one in result.estimates
            if one.tradeoff is not None
        ]
        ordered = [name for _, name in sorted(asked, key=lambda one: one[0])]
        return tuple(name for name in ordered if all(one.estimate(name) is not None for one in self.tried))

    def first(self, tradeoff: Tradeoff) -> Name | None:
        """The first measure of usefulness, or of risk."""
        found = (self.tried[0].estimate(name) for name in self.measures)
        return next(
            (name for name, one in zip(self.measures, found, strict=True) if one and one.tradeoff == tradeoff), None
        )

    def gated_risk(self) -> Name | None:
        """The first measure of risk that the gate checks; the first of all if it checks none."""
        checked = {(check.probe, check.estimate) for check in self.tried[0].report.verdict.checks}
        risks = [name for name in self.measures if (one := self.tried[0].estimate(name)) and one.tradeoff == "risk"]
        return next((name for name in risks if name in checked), next(iter(risks), None))

    @cached_property
    def efficient(self) -> frozenset[str]:
        """Names of the candidates that no other dominates."""
        scores = {one.name: self._scores(one) for one in self.tried}
        return frozenset(
            name for name, mine in scores.items() if not any(_dominates(other, mine) for other in scores.values())
        )

    def _scores(self, one: Tried) -> tuple[float, ...]:
        """More is better."""
        signs = {"higher": 1, "lower": -1}
        found = [one.estimate(name) for name in self.measures]
        return tuple(
            signs[estimate.better] * estimate.value for estimate in found if estimate and estimate.better in signs
        )

    @cached_property
    def chosen(self) -> Tried | None:
        """The recipe as it is if it passes the gate, else the candidate that passes with the highest held-out accuracy;
        None if none passes."""
        if self.tried[0].passes:
            return self.tried[0]
        passing = [one for one in self.tried if one.passes]
        useful = self.first("utility")
        return max(passing, key=lambda one: _value(one.estimate(useful) if useful else None), default=None)

    @property
    def status(self) -> Status:
        """The status of the best verdict."""
        return min((one.report.verdict.status for one in self.tried), key=BEST_FIRST.index)

    @property
    def exit_code(self) -> int:
        """0 if something passes, 3 if nothing does and something is undecided, 1 if all fail, 4 if no verdict could be
        given."""
        return EXIT_CODES[self.status]


def _dominates(other: tuple[float, ...], mine: tuple[float, ...]) -> bool:
    return all(a >= b for a, b in zip(other, mine, strict=True)) and other != mine


def _value(estimate: Estimate | None) -> float:
    return float("-inf") if estimate is None else estimate.value


def charts(frontier: Frontier, say: Words) -> list[Chart]:
    """Usefulness against a risk that the gate checks, then each measure with its intervals."""
    found = []
    useful, risk = frontier.first("utility"), frontier.gated_risk()
    if useful and risk:
        found.append(_trade(frontier, useful, risk, say))
    found += [_measure(frontier, name, say) for name in frontier.measures]
    return found


def _trade(frontier: Frontier, useful: Name, risk: Name, say: Words) -> Chart:
    pairs = [(one.name, one.estimate(risk), one.estimate(useful)) for one in frontier.tried]
    return Chart(
        name="frontier",
        mark="points",
        title=say("frontier", "trade", useful=capitalized(say.estimate(*useful[::-1])), risk=say.estimate(*risk[::-1])),
        caption=say("frontier", "trade_caption"),
        columns={
            "risk": [_on_axis(risked) for _, risked, _ in pairs],
            "accuracy": [_on_axis(accuracy) for _, _, accuracy in pairs],
            "candidate": [named(name, say) for name, _, _ in pairs],
        },
        x=Axis(column="risk", title=_titled(pairs[0][1], risk, say)),
        y=Axis(column="accuracy", title=_titled(pairs[0][2], useful, say)),
        series="candidate",
    )


def _on_axis(estimate: Estimate | None) -> float:
    return float("-inf") if estimate is None else axis_scale(estimate.unit) * estimate.value


def _titled(estimate: Estimate | None, name: Name, say: Words) -> str:
    """What an axis shows, with the unit where its numbers are scaled by it."""
    title = say.estimate(name[1], name[0])
    if estimate is None or axis_scale(estimate.unit) == 1:
        return title
    return say("ui", "axis", what=title, unit=say.axis(estimate.unit))


def _measure(frontier: Frontier, name: Name, say: Words) -> Chart:
    found = [(named(one.name, say), one.estimate(name)) for one in frontier.tried]
    present = [(label, one) for label, one in found if one is not None]
    scale = axis_scale(present[0][1].unit)
    return Chart(
        name=f"frontier-{name[0]}-{name[1]}",
        mark="interval",
        title=capitalized(say.estimate(name[1], name[0])),
        caption=say("frontier", "measure_caption", level=percent(present[0][1].level)),
        columns={
            "candidate": [label for label, _ in present],
            "value": [scale * one.value for _, one in present],
            "low": [scale * (one.value if one.bound else one.low) for _, one in present],
            "high": [scale * (one.value if one.bound else one.high) for _, one in present],
        },
        x=Axis(column="candidate", title="", scale="category"),
        y=Axis(column="value", title=say.axis(present[0][1].unit)),
        low="low",
        high="high",
        rules={say("frontier", "as_is"): scale * present[0][1].value},
    )


def named(name: str, say: Words) -> str:
    return say("frontier", "as_is") if name == AS_IS else name


def folder_of(name: str) -> str:
    """The path of a candidate's own report, beside the frontier."""
    return name.replace(" ", "-").replace("=", "-")
