"""What a probe itself notes, without the limits of the whole audit, which stand at the report's top."""

from __future__ import annotations

from probes.result import Result
from probes.texts import said
from reports.report import Report
from reports.wording.catalogue import Words
from reports.wording.numbers import harmless_long


def own_notes(result: Result, report: Report, say: Words) -> tuple[str, ...]:
    """In the order of the result's, each once."""
    limits = report.audit.get("limits")
    shared = limits if isinstance(limits, list) else []
    return tuple(dict.fromkeys(harmless_long(say.text(one)) for one in result.notes if said(one) not in shared))
