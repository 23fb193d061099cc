"""The result of a self-check as a table for a terminal."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from audit.self_check.cases import Published
from audit.self_check.check import Outcome, Selfcheck
from reports.wording.catalogue import Words

COLUMNS = ("case", "truth", "result", "published", "seconds")


def table(check: Selfcheck, say: Words) -> Table:
    """One row per case: what it is, what was found or missed, and the published rate."""
    shown = Table(*(say("selfcheck", f"column_{name}") for name in COLUMNS), title=say("selfcheck", "title"))
    for one in check.outcomes:
        shown.add_row(
            say.text(one.case.title),
            say("selfcheck", "planted" if one.case.finds else "sound"),
            Text(result(one, say), style="green" if one.ok else "bold red"),
            published(one.case.published, bool(one.case.finds), say),
            f"{one.seconds:.0f}",
        )
    return shown


def result(one: Outcome, say: Words) -> str:
    """Found, missed or quiet; and every false alarm."""
    told = [say("selfcheck", {True: "found", False: "missed", None: "quiet"}[one.found])]
    if one.found is None and one.false:
        told = []
    told += [say("selfcheck", "false", code=code) for code in one.false]
    told += [say("selfcheck", "failed", probe=probe) for probe in one.failed]
    return say("ui", "semicolon").join(told)


def published(rate: Published | None, planted: bool, say: Words) -> str:
    if rate is None:
        return "–"
    return say("selfcheck", "rate_found" if planted else "rate_alarms", **vars(rate))


def sentence(check: Selfcheck, say: Words) -> str:
    """How many plants were found, how many sound models raised no alarm, and whether that falls short."""
    planted = [one for one in check.outcomes if one.case.finds]
    quiet = [one for one in check.outcomes if not one.case.finds]
    counts = {
        "found": sum(bool(one.found) for one in planted),
        "planted": len(planted),
        "quiet": sum(one.ok for one in quiet),
        "sound": len(quiet),
        "false": sum(len(one.false) for one in check.outcomes),
    }
    return say("selfcheck", "works" if check.ok else "short", **counts)
