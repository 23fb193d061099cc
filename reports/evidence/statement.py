"""An in-toto statement with the test-result predicate: which files, which model, and how the gate decided."""

from __future__ import annotations

import json
from collections.abc import Mapping

from probes.json_text import parsed
from reports.evidence.checksums import digest
from reports.formats.base import utf8
from reports.report import CheckStatus, Report, Status

NAME = "statement.intoto.json"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://in-toto.io/attestation/test-result/v0.1"
MODEL_DIGEST = "transferAuditState"
"""The model's digest is computed over its state by name and content, not over a file's bytes, so it is not labelled
'sha256'."""
RESULTS: Mapping[Status, str] = {"pass": "PASSED", "fail": "FAILED", "undecided": "WARNED", "error": "FAILED"}
LISTS: Mapping[CheckStatus, str] = {
    "pass": "passedTests",
    "fail": "failedTests",
    "error": "failedTests",
    "undecided": "warnedTests",
    "waived": "warnedTests",
    "no-violation": "warnedTests",
}


def render(report: Report, files: Mapping[str, bytes], configuration: str) -> bytes:
    """`files` are its subjects; `configuration` names the one with the thresholds."""
    statement = {
        "_type": STATEMENT,
        "subject": [*_files(files), *_model(report)],
        "predicateType": PREDICATE,
        "predicate": predicate(report, configuration, files[configuration]),
    }
    return utf8(json.dumps(statement, indent=1, ensure_ascii=False) + "\n")


def predicate(report: Report, name: str, content: bytes) -> dict[str, object]:
    """An undecided gate is WARNED, as are waived checks and inconclusive bounds; a failed probe is FAILED."""
    tests: dict[str, list[str]] = {"passedTests": [], "warnedTests": [], "failedTests": []}
    for check in report.verdict.checks:
        suffix = " against the baseline" if check.against == "baseline" else ""
        tests[LISTS[check.status]].append(f"{check.probe}.{check.estimate}{suffix}")
    return {
        "result": RESULTS[report.verdict.status],
        "configuration": [{"name": name, "digest": {"sha256": digest(content)}}],
        **tests,
    }


def subjects(content: bytes) -> dict[str, str]:
    """sha256 of a statement's subject files, by name. Raises ValueError for anything else."""
    try:
        statement = parsed(content)
        found = {one["name"]: one["digest"]["sha256"] for one in statement["subject"] if "sha256" in one["digest"]}
        if not all(isinstance(one, str) for pair in found.items() for one in pair):
            raise TypeError("a name or digest is not text")
        return found
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a statement: {error}") from None


def _files(files: Mapping[str, bytes]) -> list[dict[str, object]]:
    return [{"name": name, "digest": {"sha256": digest(files[name])}} for name in sorted(files)]


def _model(report: Report) -> list[dict[str, object]]:
    found = report.model.get("digest")
    if not isinstance(found, str) or not found:
        return []
    return [{"name": f"model:{report.model.get('name', '')}", "digest": {MODEL_DIGEST: found}}]
