"""What the zoo came to, as Markdown and as JSON."""

from __future__ import annotations

from collections.abc import Sequence

from probes.statistics.proportions import clopper_pearson
from tests.probes.drift.shortcut_zoo.audits import RELIED, Audited
from tests.probes.drift.shortcut_zoo.plants import HELD_BACK

OBJECTS = ("shapes", "centred")
"""Data whose classes are small shapes: a candidate is the object."""


def share(hits: int, trials: int) -> str:
    if not trials:
        return "none"
    low, top = clopper_pearson(hits, trials)
    return f"{hits} of {trials} ({low:.0%} to {top:.0%})"


def as_json(done: Sequence[Audited]) -> str:
    """A model a line; `Audited.read` reads one again."""
    return "[\n" + ",\n".join(one.line for one in done) + "\n]\n"


def table(done: Sequence[Audited]) -> str:
    """The code that the models were audited with; of each kind the data sets, the models that rely on it and those of
    them that are found; then all known kinds, the drawn fifth of these, and the kinds that were held back; then the
    sound models."""
    planted = [one for one in done if one.kind != "benign"]
    lines = [f"Audited by {each}." for each in dict.fromkeys(one.code for one in done if one.code)]
    lines += ["", "| kind | data sets | models | relied on | found |", "| --- | --- | --- | --- | --- |"]
    lines += [
        _row(kind + (" (held back)" if kind in HELD_BACK else ""), [one for one in planted if one.kind == kind])
        for kind in dict.fromkeys(one.kind for one in planted)
    ]
    known = [one for one in planted if one.kind not in HELD_BACK]
    lines.append(_row("all known kinds", known))
    lines.append(_row("of these, the drawn fifth", [one for one in known if one.fifth]))
    lines.append(_row("kinds held back", [one for one in planted if one.kind in HELD_BACK]))
    benign = [one for one in done if one.kind == "benign"]
    lines += ["", "| sound models | audits that pass | that fail | models with a shortcut found | verdict redrawn |",
              "| --- | --- | --- | --- | --- |"]  # fmt: skip
    for name, few in (
        ("all", benign),
        ("the candidate is the object", [one for one in benign if one.data in OBJECTS]),
        ("others", [one for one in benign if one.data not in OBJECTS]),
    ):
        audits = [each for one in few for each in one.verdicts]
        redrawn = [one for one in few if len(one.verdicts) > 1]
        cells = (
            share(audits.count("pass"), len(audits)),
            share(audits.count("fail"), len(audits)),
            share(sum(any(one.found) for one in few), len(few)),
            share(sum(len(set(one.verdicts)) > 1 for one in redrawn), len(redrawn)),
        )
        lines.append(f"| {name} ({len(few)}) | {' | '.join(cells)} |")
    changed = [share(sum(len(set(one.verdicts)) > 1 for one in few), len(few)) for few in _redrawn(done)]
    lines += [
        "",
        f"Verdicts that a redraw changed: {changed[0]} of models that rely on their plant, {changed[1]} of all.",
    ]
    return "\n".join(lines)


def _redrawn(done: Sequence[Audited]) -> tuple[list[Audited], list[Audited]]:
    """The models that were audited more than once: those that rely on their plant, and these with the sound ones."""
    again = [one for one in done if len(one.verdicts) > 1]
    relied = [one for one in again if one.kind != "benign" and one.reliance >= RELIED]
    return relied, [*relied, *(one for one in again if one.kind == "benign")]


def _row(name: str, few: Sequence[Audited]) -> str:
    relied = [one for one in few if one.reliance >= RELIED]
    found = share(sum(one.found[0] for one in relied), len(relied))
    return f"| {name} | {len({one.data for one in few})} | {len(few)} | {len(relied)} | {found} |"
