"""A model's issues as SARIF 2.1.0 (OASIS), the format that code-scanning dashboards read."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from reports.document.issues import Issue, issues
from reports.formats.base import Format
from reports.report import Report
from reports.wording.numbers import harmless

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
SECURITY = {"error": "8.0", "warning": "5.0", "note": "2.0"}
"""CVSS-like scores by which GitHub sorts security alerts, for issues that leak training records."""


def render(report: Report, *, at: str = "audit.toml", lang: str = "en") -> str:
    """The text of audit.sarif; `at` is the file in the repository that the alerts point to."""
    found = issues(report, lang)
    rules = list(dict.fromkeys(issue.rule for issue in found))
    by_rule = {issue.rule: issue for issue in reversed(found)}
    run = {
        "tool": {
            "driver": {
                "name": harmless(report.tool),
                "version": harmless(report.version),
                "semanticVersion": harmless(report.version),
                "rules": [_rule(by_rule[rule]) for rule in rules],
            }
        },
        "automationDetails": {"id": f"{harmless(report.tool)}/{harmless(report.model.get('name', 'model'))}/"},
        "invocations": [
            {
                "executionSuccessful": report.verdict.status != "error",
                "exitCode": report.verdict.exit_code,
                "toolExecutionNotifications": [
                    {"level": "error", "message": {"text": issue.message}} for issue in found if issue.failed
                ],
            }
        ],
        "results": [_result(issue, rules.index(issue.rule), at) for issue in found],
        "properties": {"verdict": report.verdict.status, "profile": harmless(report.verdict.profile)},
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1, ensure_ascii=False) + "\n"


def _rule(issue: Issue) -> dict[str, Any]:
    rule: dict[str, Any] = {
        "id": issue.rule,
        "name": issue.rule,
        "shortDescription": {"text": issue.title},
        "fullDescription": {"text": issue.about or issue.title},
        "defaultConfiguration": {"level": issue.grade},
        "properties": {"tags": ["model-audit", issue.probe], "precision": "high"},
    }
    helps = " ".join(part for part in (issue.helps, issue.command) if part)
    if helps:
        rule["help"] = {"text": helps}
    if issue.security:
        rule["properties"] |= {"security-severity": SECURITY[issue.grade]}
        rule["properties"]["tags"].append("security")
    return rule


def _result(issue: Issue, index: int, at: str) -> dict[str, object]:
    result: dict[str, object] = {
        "ruleId": issue.rule,
        "ruleIndex": index,
        "level": issue.grade,
        "message": {"text": issue.message},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(at.replace("\\", "/"))},
                    "region": {"startLine": 1},
                }
            }
        ],
        "partialFingerprints": {"primaryLocationLineHash": issue.fingerprint},
    }
    if issue.waived:
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": issue.waived}]
    return result


FORMAT = Format.of_text("audit.sarif", lambda report, style: render(report, at=style.at, lang=style.lang))
