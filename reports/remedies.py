"""The measured effect of countermeasures on this model (by `audit mitigate`), shown with the risk that they address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from probes.errors import InputError
from probes.result import Scalar, Table
from reports.remedy import Measured, Remedy
from reports.wording.catalogue import Words
from reports.wording.numbers import harmless, quantity

AS_IS = "as it is"
MARKS = {"better": " ✓", "worse": " ✗"}


def remedies_of(content: Any, digest: str, where: str) -> tuple[Remedy, ...]:
    """The candidates of a frontier.json, if its original model has this digest; otherwise none.

    Raises InputError if it is not a frontier.json.
    """
    try:
        candidates = content["candidates"]
        if not any(one["name"] == AS_IS and one["digest"] == digest for one in candidates):
            return ()
        return tuple(_remedy(one) for one in candidates)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InputError("is not a frontier.json of transfer-audit.", where=where, do="Remove it.") from None


def _remedy(content: Mapping[str, Any]) -> Remedy:
    measures = [
        Measured(
            probe=str(one["probe"]),
            estimate=str(one["name"]),
            value=float(one["value"]),
            low=None if one["low"] is None else float(one["low"]),
            high=None if one["high"] is None else float(one["high"]),
            unit=str(one["unit"]),
            change=str(one.get("change") or ""),
        )
        for one in content["measures"]
        if one.get("value") is not None
    ]
    return Remedy(name=str(content["name"]), verdict=str(content["verdict"]), measures=tuple(measures))


def remedies_table(remedies: Sequence[Remedy], probe: str, say: Words) -> Table | None:
    """One row per candidate: its effect on this probe's measures, and on accuracy; None if it was not measured."""
    names = list(dict.fromkeys((one.probe, one.estimate) for remedy in remedies for one in remedy.measures))
    own = [name for name in names if name[0] == probe]
    if not own:
        return None
    shown = [*own, *(name for name in names if name not in own and "held_out_accuracy" in name[1])]
    rows = [[_cell(remedy, name, say) for name in shown] for remedy in remedies]
    columns: dict[str, list[Scalar]] = {
        say("frontier", "candidate"): [
            say("frontier", "as_is") if remedy.name == AS_IS else harmless(remedy.name) for remedy in remedies
        ]
    }
    columns |= {harmless(say.estimate(name[1], name[0])): [row[i] for row in rows] for i, name in enumerate(shown)}
    columns[say("ui", "status")] = [say("status", remedy.verdict) for remedy in remedies]
    return Table(name="remedies", title=say("remedies", "title"), caption=say("remedies", "caption"), columns=columns)


def _cell(remedy: Remedy, name: tuple[str, str], say: Words) -> str:
    found = next((one for one in remedy.measures if (one.probe, one.estimate) == name), None)
    if found is None:
        return "–"
    value = quantity(found.value, found.unit)
    if found.low is not None and found.high is not None:
        ends = (quantity(found.low, found.unit), quantity(found.high, found.unit))
        value += f" ({say('ui', 'between', low=ends[0], high=ends[1])})"
    return value + MARKS.get(found.change, "")
