"""A CycloneDX 1.6 ML-BOM: the model with its card, its data and source, and findings as claims with evidence."""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Iterator, Mapping

from probes.result import Estimate, Finding, Result
from reports.evidence.checksums import digest
from reports.formats.base import utf8
from reports.report import Report
from reports.wording.catalogue import words
from reports.wording.numbers import harmless, harmless_long, span

NAME = "bom.cdx.json"
SPACE = uuid.UUID("7e0ab1e0-64c6-5f7e-9d2b-6a4f5c1d2e3f")
MODEL, DATA, SOURCE, TOOL = "model", "data", "source", "tool"


def render(report: Report, results: bytes) -> bytes:
    """`results` are the bytes of results.json: the serial number is derived from their digest, so identical audits have
    identical bills."""
    bill: dict[str, object] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(SPACE, digest(results))}",
        "version": 1,
        "metadata": _metadata(report),
        "components": [_data(report), *_source(report)],
        "dependencies": [
            {"ref": MODEL, "dependsOn": [DATA, *([SOURCE] if _source(report) else [])]},
        ],
        "declarations": _declarations(report, results),
    }
    return utf8(json.dumps(bill, indent=1, ensure_ascii=False) + "\n")


def _metadata(report: Report) -> dict[str, object]:
    found: dict[str, object] = {
        "tools": {
            "components": [
                {
                    "type": "application",
                    "bom-ref": TOOL,
                    "name": harmless(report.tool),
                    "version": harmless(report.version),
                }
            ]
        },
        "component": _model(report),
    }
    if finished := report.cost.get("finished"):
        found["timestamp"] = str(finished)
    return found


def _model(report: Report) -> dict[str, object]:
    model = report.model
    return {
        "type": "machine-learning-model",
        "bom-ref": MODEL,
        "name": harmless(model.get("name", "model")),
        "modelCard": {
            "modelParameters": {
                "approach": {"type": "supervised"},
                "task": "classification",
                "modelArchitecture": harmless(model.get("architecture", "")),
                "datasets": [{"ref": DATA}],
            },
            "quantitativeAnalysis": {"performanceMetrics": list(_metrics(report))},
            "considerations": {"technicalLimitations": _limits(report)},
        },
        "properties": _properties({"digest": model.get("digest"), "transfer": model.get("transfer")}),
    }


def _data(report: Report) -> dict[str, object]:
    data = report.data
    sizes = {key: data.get(key) for key in ("fingerprint", "samples", "members", "held_out", "validation")}
    classes = ", ".join(harmless(one) for one in data.get("classes") or ())  # type: ignore[union-attr]
    return {
        "type": "data",
        "bom-ref": DATA,
        "name": harmless(data.get("name", "data")),
        "data": [{"type": "dataset", "name": harmless(data.get("name", "data")), "description": f"classes: {classes}"}],
        "properties": _properties(sizes),
    }


def _source(report: Report) -> list[dict[str, object]]:
    found = report.model.get("source_digest")
    if not found:
        return []
    name = f"source of {harmless(report.model.get('name', 'model'))}"
    return [
        {
            "type": "machine-learning-model",
            "bom-ref": SOURCE,
            "name": name,
            "properties": _properties({"digest": found, "architecture": report.model.get("architecture")}),
        }
    ]


def _properties(values: Mapping[str, object]) -> list[dict[str, str]]:
    return [
        {"name": f"transfer-audit:{key}", "value": harmless(value)}
        for key, value in values.items()
        if value is not None
    ]


def _metrics(report: Report) -> Iterator[dict[str, object]]:
    for result in report.results:
        for one in result.estimates if isinstance(result, Result) else ():
            metric: dict[str, object] = {
                "type": harmless(f"{result.probe}.{one.name}"),
                "value": _number(one.value),
                "slice": f"n = {one.n} {harmless(one.counted)}; {harmless(one.unit)}; level {one.level:g}",
            }
            if math.isfinite(one.low) and math.isfinite(one.high):
                metric["confidenceInterval"] = {"lowerBound": _number(one.low), "upperBound": _number(one.high)}
            yield metric


def _number(value: float) -> str:
    return f"{value:.6g}"


def _limits(report: Report) -> list[str]:
    say = words("en")
    noted = [harmless_long(say.text(note)) for note in report.verdict.notes]
    return list(dict.fromkeys([say("card", "limits"), say("evidence", "no_conformity"), *noted]))


def _declarations(report: Report, results: bytes) -> dict[str, object]:
    """Findings as claims, each with the estimates it rests on as evidence. No requirement is named and no conformance
    scored: whether a claim satisfies anything is for the reader."""
    claims, evidence = [], []
    for result in report.results:
        if not isinstance(result, Result):
            continue
        estimates = {one.name: one for one in result.estimates}
        for number, finding in enumerate(result.findings, start=1):
            ref = f"{result.probe}-{number}"
            evidence.append(_evidence(f"evidence-{ref}", finding, estimates, results))
            claims.append(
                {
                    "bom-ref": f"claim-{ref}",
                    "target": MODEL,
                    "predicate": harmless_long(words("en").claim(finding)),
                    "evidence": [f"evidence-{ref}"],
                }
            )
    return {
        "assessors": [{"bom-ref": "assessor", "thirdParty": False}],
        "claims": claims,
        "evidence": evidence,
    }


def _evidence(ref: str, finding: Finding, estimates: Mapping[str, Estimate], results: bytes) -> dict[str, object]:
    rests = [estimates[name] for name in finding.because if name in estimates]
    shown = "; ".join(
        f"{one.name} = {_number(one.value)} "
        f"({span(_number(one.low), _number(one.high))} at {one.level:.0%}, n = {one.n})"
        for one in rests
    )
    return {
        "bom-ref": ref,
        "propertyName": harmless(finding.code),
        "description": harmless_long(shown) or "Counted, not estimated.",
        "data": [
            {"name": "results.json", "contents": {"url": "results.json"}, "classification": f"sha256:{digest(results)}"}
        ],
    }
