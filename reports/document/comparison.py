"""The comparison with a baseline as text in one language, for every format."""

from __future__ import annotations

from dataclasses import dataclass

from reports.report import Comparison, Difference
from reports.wording.catalogue import Words
from reports.wording.estimates import between, counted
from reports.wording.numbers import POINTS, SHARES, harmless, harmless_long, number, percent, quantity

ORDER = ("worse", "better", "same", "untested")
NAMED = 3


@dataclass(frozen=True, kw_only=True)
class DifferenceText:
    status: str
    probe: str
    title: str
    name: str
    old: str
    new: str
    change: str
    interval: str
    level: str
    """The level that Holm's procedure leaves it; empty if nothing was tested."""
    paired: str
    n: str
    p: str
    caveat: str


@dataclass(frozen=True, kw_only=True)
class AgainstText:
    """`status` is that of a verdict: fail if anything is worse, else pass."""

    status: str
    name: str
    """The baseline's model, with the start of its digest, its verdict, and the date of its audit if known."""
    title: str
    sentence: str
    rows: tuple[DifferenceText, ...]
    """What was tested, worst first."""
    untested: tuple[DifferenceText, ...]
    notes: tuple[str, ...]
    explained: str


def against(comparison: Comparison, say: Words) -> AgainstText:
    """Everything worse first, then everything better, then the rest in the order of the probes."""
    ranked = sorted(comparison.differences, key=lambda one: ORDER.index(one.status))
    texts = [_difference(one, say) for one in ranked]
    name = harmless(comparison.baseline.get("name", "?"))
    digest = harmless(str(comparison.baseline.get("digest") or "")[:12])
    verdict = harmless(say("status", str(comparison.baseline.get("verdict") or "")))
    finished = harmless(str(comparison.baseline.get("finished") or "")[:10])
    return AgainstText(
        status="fail" if comparison.where("worse") else "pass",
        name=say("ui", "comma").join(
            part for part in (f"{name} ({digest})" if digest else name, verdict, finished) if part
        ),
        title=say("against", "title", name=f"{name} ({digest})" if digest else name),
        sentence=sentence(comparison, say),
        rows=tuple(text for text in texts if text.status != "untested"),
        untested=tuple(text for text in texts if text.status == "untested"),
        notes=tuple(harmless_long(say.text(note)) for note in comparison.notes),
        explained=say("against", "explained", error=percent(1 - comparison.level)),
    )


def sentence(comparison: Comparison, say: Words) -> str:
    """What got worse, and how much was compared."""
    worse, better = comparison.where("worse"), comparison.where("better")
    tested = len(comparison.differences) - len(comparison.where("untested"))
    parts = []
    for key, found in (("worse", worse), ("better", better)):
        if found:
            names = say("ui", "semicolon").join(
                harmless(
                    say(
                        "ui",
                        "named",
                        estimate=say.estimate(one.estimate, one.probe),
                        probe=say.probe(one.probe, "title"),
                    )
                )
                for one in found[:NAMED]
            )
            if len(found) > NAMED:
                names += " " + say("ui", "more", count=len(found) - NAMED)
            parts.append(say("against", key, count=len(found), total=tested, names=names))
    return say("ui", "space").join(parts) or say("against", "same", total=tested)


def _difference(one: Difference, say: Words) -> DifferenceText:
    change = one.change
    low, high = _moved(change.low, change.unit), _moved(change.high, change.unit)
    return DifferenceText(
        status=one.status,
        probe=harmless(say.probe(one.probe, "title")),
        title=harmless(say.estimate(one.estimate, one.probe)),
        name=harmless(f"{one.probe} {one.estimate}"),
        old=quantity(one.old, change.unit),
        new=quantity(one.new, change.unit),
        change=f"{'+' if change.value > 0 else ''}{_moved(change.value, change.unit)}",
        interval=between(low, high, say),
        level="" if one.status == "untested" and change.caveat else percent(change.level),
        paired=say("against", "paired" if one.paired else "unpaired"),
        n=counted(change, say),
        p="–" if one.status == "untested" else _p(one.p),
        caveat=harmless(say.text(change.caveat)),
    )


def _moved(value: float, unit: str) -> str:
    """Differences of shares in percentage points, because percent would be read as relative."""
    return f"{100 * value:.1f} pp".replace("-", "−") if unit in SHARES + POINTS else number(value)


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.2g}" if p < 0.995 else "1"
