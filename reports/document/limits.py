"""Scope, assumptions and limits in one place, with this audit's own numbers; and what passing does not mean."""

from __future__ import annotations

from collections.abc import Iterator

from probes.result import Result
from reports.report import Report
from reports.wording.catalogue import Words
from reports.wording.numbers import grouped, harmless_long

ALWAYS = ("attacks", "pool", "recipe", "persons", "variants", "use")
"""Limits of every audit."""


def limits(report: Report, say: Words) -> Iterator[str]:
    """First how much was examined, then what no audit of this kind can show."""
    results = [result for result in report.results if isinstance(result, Result)]
    yield from dict.fromkeys(harmless_long(say.text(one)) for result in results for one in result.examined)
    held_out, members = report.data.get("held_out"), report.data.get("members")
    if isinstance(held_out, int) and isinstance(members, int) and held_out:
        finest = f"{100 / held_out:.2g}"
        yield say("limits", "samples", members=grouped(members), held_out=grouped(held_out), finest=finest)
    yield from (say("limits", key) for key in ALWAYS)
