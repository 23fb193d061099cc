"""The issues of a model, one entry each: the checks that did not pass, and the findings.

SARIF, GitHub's annotations and GitLab's code quality are three formats of this list.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from reports.document.checks import CheckText, judged
from reports.document.outline import Document, outline
from reports.document.sections import FindingText, Section
from reports.document.severity import RANK
from reports.report import Report
from reports.wording.catalogue import Words
from reports.wording.numbers import UNKNOWN, harmless

Grade = Literal["error", "warning", "note"]
GRADES: tuple[Grade, ...] = ("error", "warning", "note")
LONGEST_RULE = 120


@dataclass(frozen=True, kw_only=True)
class Issue:
    """All text in it is one line, without control characters; escaping is the format's."""

    rule: str
    """Permanently identifies the kind of issue: `overfitting/recipe.accuracy_gap` (a check), `overfitting.gap` (a
    finding)."""
    probe: str
    title: str
    message: str
    about: str
    """What is required or how it is measured, without this audit's numbers."""
    grade: Grade
    helps: str = ""
    command: str = ""
    waived: str = ""
    """The reason, if the issue is waived."""
    failed: bool = False
    """The probe failed, so this says nothing about the model."""
    security: bool = False
    """Whether the probe's texts call it a matter of security (`security` beside its title)."""
    fingerprint: str = ""
    """The same in every audit of a model with this name, and unique in a report."""


def issues(report: Report, lang: str = "en") -> list[Issue]:
    """Most severe first. Errors stop the gate; findings without a failed threshold are warnings or notes."""
    document = outline(report, lang)
    found = [*_checks(document, report), *_findings(document)]
    if open_as_a_whole(document):
        found.append(
            Issue(
                rule="gate/nothing-checked",
                probe="gate",
                title=document.words("headline", document.status),
                message=document.sentence,
                about=document.words("ui", "gauge"),
                grade=_undecided(report) if document.status == "undecided" else "error",
                failed=document.status == "error",
            )
        )
    ranked = sorted(found, key=lambda issue: GRADES.index(issue.grade))
    seen: Counter[str] = Counter()
    told = []
    for issue in ranked:
        seen[issue.rule] += 1
        identity = f"{harmless(report.model.get('name', ''))}\n{issue.rule}\n{seen[issue.rule]}"
        told.append(
            dataclasses.replace(
                issue,
                security=bool(document.words.find("probes", issue.probe, "security")),
                fingerprint=hashlib.sha256(identity.encode()).hexdigest()[:32],
            )
        )
    return told


def open_as_a_whole(document: Document) -> bool:
    """Whether no check says why there is no verdict. Undecided: there is none, all are bounds, or a probe is missing.
    Error: no probe failed, but the configuration does not fit the results."""
    if document.status == "error" and any(section.failure for section in document.sections):
        return False
    return document.status in ("undecided", "error") and all(
        check.status != document.status for check in document.checks
    )


def said(check: CheckText, say: Words) -> str:
    """The check in one sentence, as on its risk's card, and why."""
    if check.interval == UNKNOWN:
        told = say("ui", "labelled", label=check.title, text=check.because)
    else:
        told = f"{judged(check, say)}{say('ui', 'space')}{check.because}"
    return say("ui", "labelled", label=check.probe, text=told)


def _undecided(report: Report) -> Grade:
    return "warning" if report.verdict.on_undecided == "warn" else "error"


def _checks(document: Document, report: Report) -> Iterator[Issue]:
    sections = {section.anchor: section for section in document.sections}
    for check in document.checks:
        if check.status in ("pass", "no-violation"):
            continue
        waived = check.because if check.status == "waived" else ""
        grade: Grade = "note" if waived else _undecided(report) if check.status == "undecided" else "error"
        section = sections.get(check.anchor)
        finding = _gravest(section)
        yield Issue(
            rule=rule_of(check.name),
            probe=check.anchor,
            title=document.words("ui", "labelled", label=document.words("status", check.status), text=check.title),
            message=said(check, document.words),
            about=section.question if section else "",
            grade=grade,
            helps=finding.helps if finding else "",
            command=finding.command if finding else "",
            waived=waived,
        )
    for section in sections.values():
        if section.failure:
            failed = section.status == "error"
            yield Issue(
                rule=f"{section.anchor}/{'failed' if failed else 'absent'}",
                probe=section.anchor,
                title=document.words(
                    "ui", "labelled", label=document.words("status", section.status), text=section.title
                ),
                message=section.failure,
                about=section.question,
                grade="error" if failed else _undecided(report),
                failed=failed,
            )


def _gravest(section: Section | None) -> FindingText | None:
    return next((finding for finding in section.findings if finding.severity != "info"), None) if section else None


def _findings(document: Document) -> Iterator[Issue]:
    for section in document.sections:
        for finding in section.findings:
            if finding.severity == "info":
                continue
            grade: Grade = "warning" if RANK[finding.severity] >= RANK["medium"] else "note"
            yield Issue(
                rule=rule_of(finding.code),
                probe=section.anchor,
                title=document.words(
                    "ui", "labelled", label=section.title, text=document.words("severity", finding.severity)
                ),
                message=finding.claim,
                about=finding.how or section.question,
                grade="error" if finding.severity == "critical" else grade,
                helps=finding.helps,
                command=finding.command,
            )


def rule_of(name: str) -> str:
    """A name as an identifier: letters, digits, dots, dashes and slashes; made unique by a digest if characters were
    removed."""
    clean = re.sub(r"[^\w./-]+", "_", name.replace(" ", "/", 1))[:LONGEST_RULE]
    if clean.replace("/", " ", 1) == name or clean == name:
        return clean
    return f"{clean}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
