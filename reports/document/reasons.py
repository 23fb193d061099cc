"""The reason for each threshold, with its source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from reports.report import Report
from reports.wording.catalogue import Words
from reports.wording.numbers import harmless, harmless_long, quantity


@dataclass(frozen=True, kw_only=True)
class Reason:
    title: str
    threshold: str
    says: str


def reasons(report: Report, say: Words) -> Iterator[Reason]:
    """One for each check against a number, in the order of the verdict; none for audits that do not record reasons."""
    told = report.audit.get("reasons")
    if not isinstance(told, Mapping):
        return
    for check in report.verdict.checks:
        if check.against != "threshold":
            continue
        why = str(told.get(f"{check.probe}.{check.estimate}") or "own")
        yield Reason(
            title=harmless(
                say(
                    "ui",
                    "named",
                    probe=say.probe(check.probe, "title"),
                    estimate=say.estimate(check.estimate, check.probe),
                )
            ),
            threshold=f"{'≤' if check.direction == 'max' else '≥'} {quantity(check.threshold, check.unit)}",
            says=harmless_long(str(say.find("why", why) or why)),
        )
