"""One audit as a value: what was audited, the probes' results, and the gate's verdict. The input of all formats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from probes.message import Text
from probes.registry import Registry
from probes.result import Bound, Estimate, Failure, Gallery, Result, Sentences
from reports.remedy import Remedy
from reports.wording.numbers import harmless

if TYPE_CHECKING:
    from rich.console import RenderableType

Status = Literal["pass", "fail", "undecided", "error"]
CheckStatus = Literal["pass", "no-violation", "fail", "undecided", "waived", "error"]
"""'no-violation': a one-sided bound that shows no violation of the threshold, but cannot show that it is met."""
Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]

EXIT_CODES: Mapping[Status, int] = {"pass": 0, "fail": 1, "undecided": 3, "error": 4}
"""2 is a usage error or bad input, for which there is no report."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One threshold against one estimate.

    probe, estimate  what was judged
    direction        max or min
    threshold        the bound; against the baseline, the margin
    status           pass, no-violation (of a one-sided bound), fail, undecided, waived or error
    value            of the estimate; against the baseline, how much worse this model is. None if there is none
    low, high        its interval at the level corrected for all checks; None at the open end of a one-sided bound
    level            of that interval, in (0, 1)
    unit             of the estimate
    because          one sentence: why this status, and for 'undecided' what would decide it
    p_fail           one-sided p-value of 'beyond the threshold' being noise
    p_pass           one-sided p-value of 'within the threshold' being noise
    against          threshold (the default) or baseline
    bound            of a one-sided estimate: lower or upper

    >>> from reports.example import example_report
    >>> (check,) = example_report().verdict.checks
    >>> check.estimate, check.status
    ('checkpoint.held_out_accuracy', 'pass')
    """

    probe: str
    estimate: str
    direction: Literal["max", "min"]
    threshold: float
    status: CheckStatus
    value: float | None
    low: float | None
    high: float | None
    level: float
    unit: str
    because: Text
    p_fail: float | None = None
    p_pass: float | None = None
    against: Literal["threshold", "baseline"] = "threshold"
    bound: Bound | None = None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A gate's verdict on a report.

    status        pass, fail, undecided, or error: a probe failed
    checks        one for each threshold
    multiplicity  the correction for the number of checks (holm)
    level         1 − the probability that a sound model fails, in (0, 1) (0.95)
    profile       name of the built-in thresholds (default)
    on_undecided  stop (the default), warn or fail
    notes         where the configuration is less strict than the default, and what else a reader must know

    >>> Verdict(status="undecided", checks=(), on_undecided="warn").exit_code
    0
    """

    status: Status
    checks: tuple[Check, ...]
    multiplicity: str = "holm"
    level: float = 0.95
    profile: str = "default"
    on_undecided: Literal["stop", "warn", "fail"] = "stop"
    notes: tuple[Text, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 pass, 1 fail, 3 undecided, 4 a probe failed; `on_undecided` maps undecided to 3, 0 or 1."""
        if self.status == "undecided":
            return {"stop": 3, "warn": 0, "fail": 1}[self.on_undecided]
        return EXIT_CODES[self.status]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One estimate in two audits.

    probe, estimate  what is compared
    old, new         the values
    change           new − old with its interval
    paired           whether both cover the same samples
    status           worse, better, same (no difference was shown) or untested (none can be: no better side, no
                     interval, or a caveat)
    p                two-sided p-value, corrected for all tested differences

    >>> from reports.comparison.compare import compare
    >>> from reports.example import example_report
    >>> training, held_out = compare(example_report(90), example_report(50)).differences
    >>> held_out.old, held_out.new, held_out.status
    (0.9, 0.5, 'worse')
    """

    probe: str
    estimate: str
    old: float
    new: float
    change: Estimate
    paired: bool
    status: Literal["worse", "better", "same", "untested"]
    p: float


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A report compared with a baseline's.

    baseline      what it is compared with: model, digest, data fingerprint, seed, version, verdict
    differences   one for each estimate that both have
    level         1 − the probability that two equally good models are called different in anything, in (0, 1) (0.95)
    multiplicity  the correction for the number of differences (holm)
    notes         what could not be compared

    >>> from reports.comparison.compare import compare
    >>> from reports.example import example_report
    >>> compare(example_report(90), example_report(50)).where("better")
    ()
    """

    baseline: Mapping[str, Json]
    differences: tuple[Difference, ...]
    level: float = 0.95
    multiplicity: str = "holm"
    notes: tuple[Text, ...] = ()

    def where(self, status: str) -> tuple[Difference, ...]:
        return tuple(one for one in self.differences if one.status == status)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Report:
    """An audit's results with its verdict.

    version     of the tool
    model       names and digests; plain JSON, as `data` and `audit` are
    data        its fingerprint, classes and split
    audit       recipe, versions, seed, plan, fidelity, limits
    results     results of each probe, or its failure
    verdict     the gate's verdict
    tool        what made it (transfer-audit)
    comparison  comparison with a baseline; None, the default, if none was given
    cost        seconds, machine, times: written to run.json, never to results.json
    remedies    effects of countermeasures on this model, from the frontier.json of `audit mitigate`
    ids         the data owner's identifiers of samples: written to samples.csv; results.json has only those of the
                samples that it names (`data["ids"]`)

    Nothing in it depends on the clock, so identical audits give identical bytes.

    >>> from reports.example import example_report
    >>> example_report()
    <Report of example: pass (1 pass)>
    >>> example_report().estimate("example", "checkpoint.held_out_accuracy").value
    0.9
    """

    version: str
    model: Mapping[str, Json]
    data: Mapping[str, Json]
    audit: Mapping[str, Json]
    results: tuple[Result | Failure, ...]
    verdict: Verdict
    tool: str = "transfer-audit"
    comparison: Comparison | None = None
    cost: Mapping[str, Json] = field(default_factory=dict)
    remedies: tuple[Remedy, ...] = ()
    ids: tuple[str, ...] = ()

    def estimate(self, probe: str, name: str) -> Estimate | None:
        """This probe's estimate with this name; None if the probe failed, did not run, or does not have it."""
        for result in self.results:
            if isinstance(result, Result) and result.probe == probe:
                return next((one for one in result.estimates if one.name == name), None)
        return None

    def called(self, sample: int) -> str:
        """The owner's id of a sample; empty if it has none."""
        named = self.data.get("ids")
        return str(named.get(str(sample), "")) if isinstance(named, Mapping) else ""

    def text(self, sample: int) -> str:
        """The text of a sample, if samples are texts and are shown; else empty."""
        shown = self.data.get("texts")
        return str(shown.get(str(sample), "")) if isinstance(shown, Mapping) else ""

    def without_pictures(self) -> Report:
        """The same report without any image or text of a sample."""
        data = {name: value for name, value in self.data.items() if name != "texts"}
        return replace(self, data=data, results=tuple(_blind(one) for one in self.results))

    def __repr__(self) -> str:
        counts: dict[str, int] = {}
        for check in self.verdict.checks:
            counts[check.status] = counts.get(check.status, 0) + 1
        checks = ", ".join(f"{count} {status}" for status, count in sorted(counts.items())) or "no checks"
        return f"<Report of {harmless(self.model.get('name', 'a model'))}: {self.verdict.status} ({checks})>"

    def _repr_html_(self) -> str:
        return str(DISPLAYS.load("html")(self))

    def _repr_markdown_(self) -> str:
        return str(DISPLAYS.load("markdown")(self))

    def __rich__(self) -> RenderableType:
        shown: RenderableType = DISPLAYS.load("console")(self)
        return shown


DISPLAYS: Registry[Callable[[Report], Any]] = Registry("audit.displays", "display")
"""Hooks for displaying a report in a notebook or console: a report is data, and does not import its renderers."""


def _blind(result: Result | Failure) -> Result | Failure:
    if isinstance(result, Failure):
        return result
    return replace(result, figures=tuple(one for one in result.figures if not isinstance(one, Gallery | Sentences)))
