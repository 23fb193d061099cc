"""A report for experiment trackers: metrics, parameters and tags, with names that both MLflow and W&B accept."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from probes.result import Estimate, Result
from reports.document.issues import rule_of
from reports.document.outline import outline
from reports.report import Json, Report
from reports.wording.numbers import harmless

LONGEST_VALUE = 500


@dataclass(frozen=True, kw_only=True)
class Record:
    """`metrics` are `probe/estimate` with `.low` and `.high`; values that are not finite are left out."""

    name: str
    metrics: Mapping[str, float]
    params: Mapping[str, str]
    tags: Mapping[str, str]
    summary: str
    """The verdict in one sentence."""


def record(report: Report) -> Record:
    metrics = {
        key: value
        for result in report.results
        if isinstance(result, Result)
        for estimate in result.estimates
        for key, value in _metrics(result.probe, estimate).items()
    }
    verdict = report.verdict
    passed = sum(check.status == "pass" for check in verdict.checks)
    metrics |= {"gate/exit_code": float(verdict.exit_code), "gate/checks": float(len(verdict.checks))}
    metrics |= {"gate/passed": float(passed)}
    tags = {
        "audit.verdict": verdict.status,
        "audit.profile": harmless(verdict.profile),
        "audit.version": report.version,
        "audit.model": harmless(report.model.get("digest", "")),
        "audit.data": harmless(report.data.get("fingerprint", "")),
    }
    return Record(
        name=f"audit of {harmless(report.model.get('name', 'a model'))}",
        metrics=metrics,
        params=dict(_params(report)),
        tags=tags,
        summary=outline(report, "en").sentence,
    )


def _metrics(probe: str, estimate: Estimate) -> dict[str, float]:
    key = rule_of(harmless(f"{probe} {estimate.name}"))
    numbers = {key: estimate.value, f"{key}.low": estimate.low, f"{key}.high": estimate.high}
    return {name: float(value) for name, value in numbers.items() if math.isfinite(value)}


def _params(report: Report) -> list[tuple[str, str]]:
    found = [("audit.seed", str(report.audit.get("seed", "")))]
    replicas = report.audit.get("replicas")
    if isinstance(replicas, Mapping):
        found += [(f"audit.replicas.{_key(name)}", str(count)) for name, count in replicas.items()]
    found += _flat(report.model.get("recipe"), "recipe")
    for result in report.results:
        if isinstance(result, Result):
            found += [(f"{_key(result.probe)}.{_key(name)}", str(value)) for name, value in result.params.items()]
    return [(key, harmless(value)[:LONGEST_VALUE]) for key, value in found]


def _flat(value: Json, path: str) -> list[tuple[str, str]]:
    """Nested settings as dotted names."""
    if isinstance(value, Mapping):
        return [pair for name, item in value.items() for pair in _flat(item, f"{path}.{_key(name)}")]
    return [] if value is None else [(path, str(value))]


def _key(name: object) -> str:
    return re.sub(r"[^\w.-]+", "_", harmless(name))
