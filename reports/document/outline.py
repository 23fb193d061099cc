"""The outline for all formats: the contents of the report, in order, before rendering."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from probes.result import Failure, Result
from reports.document.absent import absent_of
from reports.document.checks import CheckText, checks
from reports.document.comparison import AgainstText, against
from reports.document.gate_level import at_gate_level
from reports.document.limits import limits
from reports.document.next_steps import forms
from reports.document.reasons import Reason, reasons
from reports.document.sections import Section, section
from reports.document.severity import ORDER, status_of
from reports.document.summary import SOUND, Risk, risk
from reports.report import Check, Report
from reports.wording.catalogue import Words, words
from reports.wording.estimates import shown
from reports.wording.numbers import capitalized, grouped, harmless, harmless_long, uncapitalized, visible

NAMED = 3
"""The verdict's sentence names up to this many checks; if there are more, their risks."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Document:
    title: str
    status: str
    sentence: str
    decide: str
    """What would decide an undecided verdict; empty otherwise."""
    quality: tuple[tuple[str, str], ...]
    """What probes say about the model's usefulness, and the required minimum."""
    facts: tuple[tuple[str, str], ...]
    run: tuple[tuple[str, str], ...]
    """Model, data, version, time and user."""
    registered: str
    """Whether the gate used what was registered before the run; empty for audits that do not record it."""
    since: str
    """What changed since the baseline, in one sentence; empty without a baseline."""
    risks: tuple[Risk, ...]
    checks: tuple[CheckText, ...]
    reasons: tuple[Reason, ...]
    against: AgainstText | None
    sections: tuple[Section, ...]
    provenance: tuple[tuple[str, str], ...]
    recipe: str
    notes: tuple[str, ...]
    limits: tuple[str, ...]
    """Scope, assumptions and what passing does not mean, in one place."""
    glossary: tuple[tuple[str, str], ...]
    words: Words

    @property
    def blocking(self) -> tuple[Risk, ...]:
        """The risks that block shipping."""
        return tuple(one for one in self.risks if one.status not in (*SOUND, "info"))


def outline(report: Report, lang: str = "en") -> Document:
    """The whole report as text and figures, in one language."""
    say, report = words(lang).about(report.results, forms(report)), at_gate_level(report)
    results = sorted((*report.results, *absent_of(report)), key=lambda result: ORDER.index(status_of(result, report)))
    judged = checks(report, say)
    changes = None if report.comparison is None else against(report.comparison, say)
    return Document(
        title=say("ui", "title", name=harmless(report.model.get("name", "a model"))),
        status=report.verdict.status,
        sentence=_sentence(report, say),
        decide=_decide(report, say),
        quality=tuple(_quality(report, judged, say)),
        facts=tuple(_facts(report, say)),
        run=tuple(_run(report, say)),
        registered=_registered(report, say),
        since="" if changes is None else say("against", "since", name=changes.name, sentence=changes.sentence),
        risks=tuple(risk(result, report, judged, say) for result in results),
        checks=judged,
        reasons=tuple(reasons(report, say)),
        against=changes,
        sections=tuple(section(result, report, judged, say) for result in results),
        provenance=tuple(_provenance(report)),
        recipe=visible(json.dumps(report.model.get("recipe", {}), indent=2, ensure_ascii=False, sort_keys=True)),
        notes=tuple(harmless_long(say.text(note)) for note in report.verdict.notes),
        limits=tuple(limits(report, say)),
        glossary=tuple((str(one["term"]), str(one["says"])) for one in (say.find("glossary") or {}).values()),
        words=say,
    )


def _sentence(report: Report, say: Words) -> str:
    """Whether the model may be shipped, the risks behind this, and the results of the other checks."""
    status, judged = report.verdict.status, report.verdict.checks
    if not judged and not any(isinstance(result, Failure) for result in report.results):
        return say("verdict", "not_judged") if status == "error" else say("ui", "nochecks")
    counts = {one: sum(check.status == one for check in judged) for one in ORDER}
    if status == "pass" and counts["waived"]:
        return _told("waived", [check for check in judged if check.status == "waived"], len(judged), say)
    named = [check for check in judged if check.status == status]
    if status == "undecided" and not named:
        bounds = counts["no-violation"] == len(judged)
        return say("verdict", "bounds" if bounds else "incomplete")
    told = "unjudged" if status == "undecided" and not all(map(_contains, named)) else status
    sentence = _told(told, named, len(judged), say)
    if status == "pass" and counts["no-violation"]:
        sentence = _plural("verdict", "within", counts["pass"], say, total=len(judged))
    also = [one for one in ("undecided", "waived") if counts[one] and one != status and status != "pass"]
    also += ["no-violation"] if counts["no-violation"] else []
    return "".join([sentence, *(_plural("also", one, counts[one], say) for one in also)])


def _decide(report: Report, say: Words) -> str:
    """What an undecided verdict means."""
    if report.verdict.status != "undecided":
        return ""
    named = [check for check in report.verdict.checks if check.status == "undecided"]
    return say("ui", "decide" if all(map(_contains, named)) else "not_a_pass")


def _contains(check: Check) -> bool:
    """Whether its interval contains its threshold; otherwise it is undecided for another reason."""
    return check.low is not None and check.high is not None and check.low <= check.threshold <= check.high


def _told(key: str, named: list[Check], total: int, say: Words) -> str:
    names = harmless_long(_names(named, say))
    return _plural("verdict", key, len(named), say, total=total, others=total - len(named), names=names)


def _plural(part: str, key: str, count: int, say: Words, **values: object) -> str:
    one = f"{key}_one"
    return say(part, one if count == 1 and say.find(part, one) else key, count=count, **values)


def _names(named: list[Check], say: Words) -> str:
    """The risks; if there are few checks, each with what was checked."""
    groups: dict[str, list[str]] = {}
    for check in named:
        groups.setdefault(uncapitalized(say.probe(check.probe, "title")), []).append(
            say.estimate(check.estimate, check.probe)
        )
    if len(named) > NAMED:
        return say.listed(list(groups))
    return say.listed(
        [
            say("ui", "in_short", probe=probe, estimates=say("ui", "semicolon").join(estimates))
            for probe, estimates in groups.items()
        ]
    )


def _facts(report: Report, say: Words) -> list[tuple[str, str]]:
    """What was audited, in a handful of pairs."""
    model, data = report.model, report.data
    replicas = report.audit.get("replicas")
    count = sum(n for n in replicas.values() if isinstance(n, int)) if isinstance(replicas, Mapping) else None
    found = {
        "architecture": model.get("architecture"),
        "parameters": _number(model.get("parameters") or None),
        "data": data.get("name"),
        "members": _number(data.get("members")),
        "held_out": _number(data.get("held_out")),
        "replicas": _number(count),
        "profile": report.verdict.profile,
        "seed": report.audit.get("seed"),
    }
    return [(say("facts", key), harmless(value)) for key, value in found.items() if value is not None]


def _run(report: Report, say: Words) -> list[tuple[str, str]]:
    """What identifies this audit, in pairs; digests are shortened, and given in full below the recipe."""
    cost = report.cost
    found = {
        "tool": f"{report.tool} {report.version}",
        "digest": _start(report.model.get("digest")),
        "fingerprint": _start(report.data.get("fingerprint")),
        "commit": _start(cost.get("commit")),
        "finished": cost.get("finished"),
        "by": cost.get("by"),
    }
    return [(say("facts", key), harmless(value)) for key, value in found.items() if value]


def _start(digest: object) -> str:
    """The first twelve digits of a long hex digest, and what follows it."""
    text = str(digest or "")
    head, plus, tail = text.partition("+")
    return (head[:12] + plus + tail) if len(head) > 12 else text


def _registered(report: Report, say: Words) -> str:
    told = report.audit.get("registration")
    if not isinstance(told, Mapping):
        return ""
    key = {"as registered": "same", "changed": "changed"}.get(str(told.get("status")), "none")
    changed = told.get("changed")
    listed = "; ".join(str(one) for one in changed) if isinstance(changed, list) else ""
    return harmless_long(
        say(
            "registration",
            key,
            digest=_start(told.get("digest")),
            registered=told.get("registered", ""),
            changed=listed,
        )
    )


def _quality(report: Report, judged: tuple[CheckText, ...], say: Words) -> list[tuple[str, str]]:
    """Whether the model is useful, before its risks: what probes measured of that, and the required minimum."""
    measured = [
        (result.probe, one)
        for result in report.results
        if isinstance(result, Result)
        for one in result.estimates
        if one.quality
    ]
    if not measured:
        return []
    told = []
    for probe, one in measured:
        value, interval, level = shown(one, say)
        text = say("facts", "quality_shown", value=value, interval=interval, level=level)
        told.append((harmless(capitalized(say.title(one, probe))), text))
    own = [f"{probe} {one.name}" for probe, one in measured if not one.aid]
    least = say("ui", "semicolon").join(_minimum(one, own[0], say) for one in judged if one.name in own)
    none = say("facts", "asked_none", estimate=harmless(own[0])) if own else ""
    return [*told, (say("facts", "asked"), least or none)]


def _minimum(check: CheckText, first: str, say: Words) -> str:
    """The threshold and its status; of another measure than the first, with its name."""
    told = say("facts", "asked_shown", threshold=check.threshold, status=say("status", check.status))
    return told if check.name == first else f"{uncapitalized(check.title)} {told}"


def _number(value: object) -> str | None:
    return grouped(value) if isinstance(value, int) else None


def _provenance(report: Report) -> list[tuple[str, str]]:
    verdict = report.verdict
    found: list[tuple[str, str]] = [
        ("tool", f"{report.tool} {report.version}"),
        ("gate", _values({"profile": verdict.profile, "multiplicity": verdict.multiplicity, "level": verdict.level})),
    ]
    parts = (("model", report.model), ("data", report.data), ("audit", report.audit), ("cost", report.cost))
    for part, content in parts:
        for key, value in content.items():
            if key in ("recipe", "configuration", "registration", "reasons", "ids"):
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
        (f"probe: {harmless(r.probe)}", harmless_long(_values(r.params)))
        for r in report.results
        if isinstance(r, Result) and r.params
    ]
    return [(harmless(key), harmless_long(value)) for key, value in found]


def _values(content: Mapping[str, object]) -> str:
    """By their keys, as configurations have them: the same in every language."""
    return ", ".join(f"{key} = {value}" for key, value in content.items())
