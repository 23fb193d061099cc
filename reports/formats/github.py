"""A model's issues as GitHub workflow commands: each line becomes an annotation of the run.

GitHub shows ten errors, ten warnings and ten notices per step, so the most severe come first.
"""

from __future__ import annotations

from collections.abc import Mapping

from reports.document.issues import Grade, issues
from reports.formats import markdown
from reports.formats.base import Announcement, Format, Style
from reports.report import Report

COMMANDS: Mapping[Grade, str] = {"error": "error", "warning": "warning", "note": "notice"}
DATA = {"%": "%25", "\r": "%0D", "\n": "%0A"}
PROPERTY = DATA | {":": "%3A", ",": "%2C"}
"""Escaped as in actions/toolkit: whatever a class is called, a line remains one command with these properties."""


def render(report: Report, *, at: str = "audit.toml", lang: str = "en") -> str:
    """One line per issue; `at` is the file in the repository that they point to."""
    return "".join(
        f"::{COMMANDS[issue.grade]} file={escaped(at, PROPERTY)},line=1,title={escaped(issue.title, PROPERTY)}"
        f"::{escaped(' '.join(part for part in (issue.message, issue.helps) if part), DATA)}\n"
        for issue in issues(report, lang)
    )


def outputs(report: Report) -> str:
    """The lines for $GITHUB_OUTPUT: `verdict` and `exit_code`."""
    return f"verdict={report.verdict.status}\nexit_code={report.verdict.exit_code}\n"


def escaped(text: str, characters: Mapping[str, str]) -> str:
    return "".join(characters.get(character, character) for character in text)


def announcement(report: Report, style: Style) -> Announcement:
    """Annotations; the job's summary and outputs for the files that the runner names."""
    return Announcement(
        lines=render(report, at=style.at, lang=style.lang),
        appended={
            "GITHUB_STEP_SUMMARY": markdown.summary(report, lang=style.lang),
            "GITHUB_OUTPUT": outputs(report),
        },
    )


FORMAT = Format.of_text(
    "annotations.txt",
    lambda report, style: render(report, at=style.at, lang=style.lang),
    announce=announcement,
)
