"""One outline for all formats: what the report says, in order, before anybody draws it."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from probes.result import Chart, Estimate, Failure, Figure, Finding, Result, Table
from reports.against import AgainstText, against
from reports.language import Words, words
from reports.numbers import harmless, quantity, together, visible
from reports.report import Check, Report
from reports.translate import spoken, translated

RANK = {"critical": 4, "high": 3, "medium": 2, "low": 1, "info": 0}
SAMPLES_NAMED, NAMED = 12, 3
ORDER = ("fail", "error", "undecided", "waived", "pass", "info")
"""The gravest first: of checks in a probe, and of probes in the report."""


@dataclass(frozen=True, kw_only=True)
class FindingText:
    code: str
    severity: str
    claim: str
    because: tuple[tuple[str, str], ...]
    """The estimates it rests on: title, then value with interval and n."""
    how: str
    limits: str
    helps: str
    command: str
    samples: str


@dataclass(frozen=True, kw_only=True)
class EstimateText:
    name: str
    title: str
    value: str
    interval: str
    level: str
    n: str
    unit: str
    caveat: str


@dataclass(frozen=True, kw_only=True)
class Gauge:
    """A check as a line from 0 to 100: where the interval, the value and the threshold lie, and what is allowed."""

    low: float
    value: float
    high: float
    threshold: float
    allowed: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class CheckText:
    anchor: str
    status: str
    probe: str
    title: str
    name: str
    value: str
    interval: str
    level: str
    n: str
    threshold: str
    because: str
    gauge: Gauge | None


@dataclass(frozen=True, kw_only=True)
class Risk:
    """One line: what, how sure, so what, what to do."""

    anchor: str
    title: str
    status: str
    severity: str
    what: str
    so_what: str
    to_do: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Section:
    probe: str
    anchor: str
    title: str
    status: str
    question: str
    failure: str
    findings: tuple[FindingText, ...]
    estimates: tuple[EstimateText, ...]
    figures: tuple[Figure, ...]
    notes: tuple[str, ...]
    method: str
    citations: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Document:
    title: str
    status: str
    sentence: str
    decide: str
    """What would settle an undecided verdict; empty otherwise."""
    facts: tuple[tuple[str, str], ...]
    risks: tuple[Risk, ...]
    checks: tuple[CheckText, ...]
    against: AgainstText | None
    sections: tuple[Section, ...]
    provenance: tuple[tuple[str, str], ...]
    recipe: str
    notes: tuple[str, ...]
    glossary: tuple[tuple[str, str], ...]
    words: Words


def outline(report: Report, lang: str = "en") -> Document:
    """The whole report as text and figures, in one language."""
    say = words(lang)
    results = sorted(report.results, key=lambda result: ORDER.index(_status(result, report)))
    sizes = {
        (result.probe, one.name): counted(one, say)
        for result in results
        if isinstance(result, Result)
        for one in result.estimates
    }
    checks = sorted(report.verdict.checks, key=lambda check: ORDER.index(check.status))
    return Document(
        title=say("ui", "title", name=harmless(report.model.get("name", "a model"))),
        status=report.verdict.status,
        sentence=_sentence(report, say),
        decide=say("ui", "decide") if report.verdict.status == "undecided" else "",
        facts=tuple(_facts(report, say)),
        risks=tuple(_risk(result, report, say) for result in results),
        checks=tuple(_check(check, sizes.get((check.probe, check.estimate)), say) for check in checks),
        against=None if report.comparison is None else against(report.comparison, say),
        sections=tuple(_section(result, report, say) for result in results),
        provenance=tuple(_provenance(report)),
        recipe=visible(json.dumps(report.model.get("recipe", {}), indent=2, ensure_ascii=False, sort_keys=True)),
        notes=tuple(harmless_long(say.sentence(note)) for note in report.verdict.notes),
        glossary=tuple((str(one["term"]), str(one["says"])) for one in (say.find("glossary") or {}).values()),
        words=say,
    )


def _sentence(report: Report, say: Words) -> str:
    status, checks = report.verdict.status, report.verdict.checks
    if not checks and status != "error":
        return say("ui", "nochecks")
    named = [check for check in checks if check.status == status]
    groups: dict[str, list[str]] = {}
    for check in named:
        groups.setdefault(say.probe(check.probe, "title"), []).append(say.estimate(check.estimate))
    few = len(named) <= NAMED
    names = say("ui", "and").join(
        say("ui", "named", probe=probe, estimate=say("ui", "and").join(estimates)) if few else probe
        for probe, estimates in groups.items()
    )
    form = "one" if len(named) == 1 and say.find("verdict", f"{status}_one") else ""
    key = f"{status}_{form}" if form else status
    return say("verdict", key, count=len(named), total=len(checks), names=harmless_long(names))


def _facts(report: Report, say: Words) -> list[tuple[str, str]]:
    """What was audited, in a handful of pairs."""
    model, data = report.model, report.data
    replicas = report.audit.get("replicas")
    count = sum(n for n in replicas.values() if isinstance(n, int)) if isinstance(replicas, Mapping) else None
    found = {
        "architecture": model.get("architecture"),
        "parameters": _counted(model.get("parameters")),
        "data": data.get("name"),
        "members": _counted(data.get("members")),
        "held_out": _counted(data.get("held_out")),
        "replicas": _counted(count),
        "profile": report.verdict.profile,
        "seed": report.audit.get("seed"),
    }
    return [(say("facts", key), harmless(value)) for key, value in found.items() if value is not None]


def _counted(value: object) -> str | None:
    return f"{value:,}".replace(",", "\u202f") if isinstance(value, int) else None


def _status(result: Result | Failure, report: Report) -> str:
    """The gravest of the probe's checks."""
    if isinstance(result, Failure):
        return "error"
    statuses = [check.status for check in report.verdict.checks if check.probe == result.probe]
    return next((status for status in ORDER if status in statuses), "info")


def _risk(result: Result | Failure, report: Report, say: Words) -> Risk:
    title, so_what = harmless(say.probe(result.probe, "title")), say.probe(result.probe, "so_what")
    anchor, status = slug(result.probe), _status(result, report)
    if isinstance(result, Failure):
        what = say("ui", "failed", error=harmless(result.error), message=harmless_long(result.message))
        to_do = say("ui", "report_defect")
        return Risk(anchor=anchor, title=title, status=status, severity="high", what=what, so_what=so_what, to_do=to_do)
    worst = _decisive(result, status, report)
    grave = worst is not None and RANK[worst.severity] > 0
    open_checks = [one for one in report.verdict.checks if one.probe == result.probe and one.status == "undecided"]
    if status == "undecided" and open_checks:
        return Risk(
            anchor=anchor,
            title=title,
            status=status,
            severity=worst.severity if worst else "info",
            what=harmless_long(say.claim(worst)) if worst else say("ui", "nothing"),
            so_what=say("ui", "unsettled", so_what=so_what),
            to_do=_because(open_checks[0], say),
        )
    return Risk(
        anchor=anchor,
        title=title,
        status=status,
        severity=worst.severity if worst else "info",
        what=harmless_long(say.claim(worst)) if worst else say("ui", "nothing"),
        so_what=so_what if grave else say("ui", "fine") if status == "pass" else "",
        to_do=str(say.find("findings", worst.code, "helps") or "") if worst and grave else "",
    )


def _decisive(result: Result, status: str, report: Report) -> Finding | None:
    """The gravest finding; where checks fell, of those that rest on what fell (of this model or of its recipe), so that
    the line says why."""

    def metric(name: str) -> str:
        return name.removeprefix("checkpoint.").removeprefix("recipe.")

    fell = {metric(one.estimate) for one in report.verdict.checks if (one.probe, one.status) == (result.probe, status)}
    about = [one for one in result.findings if RANK[one.severity] and fell & {metric(name) for name in one.because}]
    chosen = about if status in ("fail", "undecided") and about else result.findings
    return max(chosen, key=lambda finding: RANK[finding.severity], default=None)


def _check(check: Check, n: str | None, say: Words) -> CheckText:
    value, between = quantity(check.value, check.unit), "–"
    if check.value is not None and check.low is not None and check.high is not None:
        value, low, high = together(check.value, check.low, check.high, check.unit)
        between = say("ui", "between", low=low, high=high)
    told = say.find("check", check.status)
    return CheckText(
        anchor=slug(check.probe),
        status=check.status,
        probe=harmless(say.probe(check.probe, "title")),
        title=harmless(_judged(check, say)),
        name=harmless(f"{check.probe} {check.estimate}"),
        value=value,
        interval=between,
        level=percent(check.level),
        n=n or "–",
        threshold=f"{'≤' if check.direction == 'max' else '≥'} {quantity(check.threshold, check.unit)}",
        because=str(told) if told and check.against == "threshold" else _because(check, say),
        gauge=_gauge(check),
    )


def _because(check: Check, say: Words) -> str:
    """Without the numbers where a caveat follows them: they stand beside it."""
    caveat = re.fullmatch(r"\S+ \(\S+ to \S+ at [\d.]+%\): (.+)\.", check.because)
    return harmless_long(say.sentence(caveat[1] if caveat else check.because))


def _judged(check: Check, say: Words) -> str:
    """What the check is of: the estimate, or how much worse it is than the baseline's."""
    title = say.estimate(check.estimate)
    return title if check.against == "threshold" else say("ui", "worsening", estimate=title)


def _gauge(check: Check) -> Gauge | None:
    shown = (check.low, check.value, check.high)
    if None in shown:
        return None
    low, value, high = (float(one) for one in shown if one is not None)
    if not all(math.isfinite(one) for one in (low, value, high, check.threshold)):
        return None
    left, right = min(low, check.threshold), max(high, check.threshold)
    reach = max(right - left, 1e-9)
    left, right = left - 0.12 * reach, right + 0.12 * reach

    def place(one: float) -> float:
        return round(100 * (one - left) / (right - left), 2)

    bound = place(check.threshold)
    allowed = (0.0, bound) if check.direction == "max" else (bound, 100.0)
    return Gauge(low=place(low), value=place(value), high=place(high), threshold=bound, allowed=allowed)


def _section(result: Result | Failure, report: Report, say: Words) -> Section:
    failure = ""
    findings: tuple[FindingText, ...] = ()
    estimates: tuple[EstimateText, ...] = ()
    figures: tuple[Figure, ...] = ()
    notes: tuple[str, ...] = ()
    if isinstance(result, Failure):
        failure = say("ui", "failed", error=harmless(result.error), message=harmless_long(result.message))
    else:
        ranked = sorted(result.findings, key=lambda finding: -RANK[finding.severity])
        findings = tuple(_finding(finding, result, say) for finding in ranked)
        estimates = tuple(_estimate(estimate, say) for estimate in result.estimates)
        charts_first = sorted(result.figures, key=lambda figure: not isinstance(figure, Chart))
        figures = tuple(_figure(figure, result.probe, say) for figure in charts_first)
        notes = tuple(dict.fromkeys(harmless_long(say.sentence(note)) for note in result.notes))
    citations = say.find("probes", result.probe, "citations") or ()
    return Section(
        probe=result.probe,
        anchor=slug(result.probe),
        title=harmless(say.probe(result.probe, "title")),
        status=_status(result, report),
        question=say.probe(result.probe, "question"),
        failure=failure,
        findings=findings,
        estimates=estimates,
        figures=figures,
        notes=notes,
        method=say.probe(result.probe, "method"),
        citations=tuple(str(one) for one in citations),
    )


def _figure(figure: Figure, probe: str, say: Words) -> Figure:
    """Its title, headings and caption in this language, where there are words for them."""
    path = ("figures", f"{probe}.{figure.name}")
    title = str(say.find(*path) or figure.title)
    caption = say.sentence(figure.caption)
    known = {str(key): str(value) for key, value in (say.find("words") or {}).items()}
    if isinstance(figure, Chart):
        return dataclasses.replace(translated(figure, known), title=title, caption=caption)
    if isinstance(figure, Table):
        return dataclasses.replace(spoken(figure, known), title=title, caption=caption)
    headings = tuple(known.get(one, one) for one in figure.headings)
    return dataclasses.replace(figure, title=title, caption=caption, headings=headings)


def _finding(finding: Finding, result: Result, say: Words) -> FindingText:
    estimates = {estimate.name: estimate for estimate in result.estimates}
    because = []
    for name in finding.because:
        one = estimates.get(name)
        shown = f"{_shown(one, say)[0]} ({_shown(one, say)[1]}, n = {counted(one, say)})" if one else ""
        because.append((harmless(say.estimate(name)), harmless_long(shown)))
    named = ", ".join(str(sample) for sample in finding.samples[:SAMPLES_NAMED])
    if len(finding.samples) > SAMPLES_NAMED:
        named += " " + say("ui", "more", count=len(finding.samples) - SAMPLES_NAMED)
    texts = {key: str(say.find("findings", finding.code, key) or "") for key in ("how", "limits", "helps")}
    return FindingText(
        code=harmless(finding.code),
        severity=finding.severity,
        claim=harmless_long(say.claim(finding)),
        because=tuple(because),
        samples=named,
        command=_command(finding, result.params, say),
        **texts,
    )


def _command(finding: Finding, params: Mapping[str, object], say: Words) -> str:
    """What a reader may copy into a shell, so nothing but numbers is filled in; empty where one is missing."""
    known = {f"twice_{name}": 2 * value for name, value in params.items() if type(value) is int}
    known |= {name: value for name, value in finding.values.items() if type(value) is int}
    try:
        return str(say.find("findings", finding.code, "command") or "").format(**known)
    except KeyError:  # an older or a stranger's probe gives other values
        return ""


def _shown(estimate: Estimate, say: Words) -> tuple[str, str]:
    """Value and interval."""
    value, low, high = together(estimate.value, estimate.low, estimate.high, estimate.unit)
    return value, say("ui", "between", low=low, high=high)


def counted(estimate: Estimate, say: Words) -> str:
    """n, with what it counts where the probe said so."""
    known = (say.find("words") or {}).get(estimate.counted, estimate.counted)
    return f"{_counted(estimate.n)} {harmless(known)}".strip()


def _estimate(estimate: Estimate, say: Words) -> EstimateText:
    value, interval = _shown(estimate, say)
    return EstimateText(
        name=harmless(estimate.name),
        title=harmless(say.estimate(estimate.name)),
        value=value,
        interval=interval,
        level=percent(estimate.level),
        n=counted(estimate, say),
        unit=harmless(say("units", estimate.unit)),
        caveat=harmless_long(say.sentence(estimate.caveat or "")),
    )


def percent(level: float) -> str:
    return f"{100 * level:.4g} %"


def _provenance(report: Report) -> list[tuple[str, str]]:
    verdict = report.verdict
    found: list[tuple[str, str]] = [
        ("tool", f"{report.tool} {report.version}"),
        ("gate", f"profile {verdict.profile}, {verdict.multiplicity}, level {percent(verdict.level)}"),
    ]
    parts = (("model", report.model), ("data", report.data), ("audit", report.audit), ("cost", report.cost))
    for part, content in parts:
        for key, value in content.items():
            if key == "recipe":
                continue
            if isinstance(value, Mapping):
                text = ", ".join(f"{name} {item}" for name, item in value.items())
            elif isinstance(value, list):
                text = ", ".join(harmless(item) for item in value[:20]) + (" …" if len(value) > 20 else "")
            else:
                text = str(value)
            if text:
                found.append((harmless(f"{part}: {key}"), harmless_long(text)))
    found += [
        (f"probe: {harmless(r.probe)}", harmless_long(", ".join(f"{k} = {v}" for k, v in r.params.items())))
        for r in report.results
        if isinstance(r, Result) and r.params
    ]
    return found


def slug(name: str) -> str:
    """A name as part of an id or a file name."""
    return re.sub(r"[^a-z0-9]+", "-", harmless(name).lower()).strip("-") or "probe"


def harmless_long(text: object) -> str:
    """As `harmless`, but whole sentences: cut at 1,000 characters."""
    pieces = [harmless(piece) for piece in str(text)[:1000].split(" ")]
    return " ".join(piece for piece in pieces if piece)
