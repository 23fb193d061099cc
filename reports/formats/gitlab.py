"""A model's issues as a GitLab code-quality report, which a merge request compares with its target branch's."""

from __future__ import annotations

import json
from collections.abc import Mapping

from reports.document.issues import Grade, issues
from reports.formats.base import Format
from reports.report import Report

SEVERITIES: Mapping[Grade, str] = {"error": "critical", "warning": "major", "note": "minor"}


def render(report: Report, *, at: str = "audit.toml", lang: str = "en") -> str:
    """The text of gl-code-quality-report.json; `at` is the file in the repository that the entries point to."""
    entries = [
        {
            "description": " ".join(part for part in (issue.message, issue.helps) if part),
            "check_name": issue.rule,
            "fingerprint": issue.fingerprint,
            "severity": "info" if issue.waived else SEVERITIES[issue.grade],
            "location": {"path": at, "lines": {"begin": 1}},
        }
        for issue in issues(report, lang)
    ]
    return json.dumps(entries, indent=1, ensure_ascii=False) + "\n"


FORMAT = Format.of_text(
    "gl-code-quality-report.json", lambda report, style: render(report, at=style.at, lang=style.lang)
)
