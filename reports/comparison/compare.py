"""What changed since a baseline, beyond noise: a pure function of two reports.

Each estimate that both audits have becomes one difference, new − old, with an interval: paired if both cover the same
samples, otherwise treating the estimates as independent. All differences with a better direction are tested together
(Holm), so that for two equally good models anything is called different with probability at most 1 − level.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal

import numpy as np

from probes.errors import InputError
from probes.message import Message, Text
from probes.result import Estimate, Result
from probes.statistics.confidence_level import at_level, p_beyond
from probes.statistics.multiplicity import holm, holm_levels
from probes.statistics.paired import independent_difference
from reports.comparison.pairing import Pairs
from reports.report import Comparison, Difference, Json, Report

Change = Literal["worse", "better", "same", "untested"]
BOUNDS_DIFFER = Message("comparison.bound")
SAME_MODEL = Message("comparison.not-the-model")
COSTS = ("steps", "seconds", "MiB")
"""Units of an audit's cost, which says nothing about the model."""
BOUNDED = ("fraction", "TPR", "AUC")
"""Units of numbers from 0 to 1, which differ by at most 1."""
MISSING_NAMED = 5


def compare(old: Report, new: Report, *, level: float = 0.95) -> Comparison:
    """`new` against the baseline `old`. Raises InputError if they have no estimate in common.

    Per-sample columns, if both reports have them, make the tests paired.

    old, new  reports, the baseline first
    level     1 − the probability that two equally good models are called different in anything, in (0, 1)

    >>> from reports.example import example_report
    >>> compare(example_report(90), example_report(50)).where("worse")[0].estimate
    'checkpoint.held_out_accuracy'
    """
    ours, theirs = _estimates(new), _estimates(old)
    shared = [name for name in ours if name in theirs and ours[name].unit == theirs[name].unit]
    if not shared:
        raise InputError(
            "has no estimate in common with the baseline.",
            where=_name(new),
            do="Compare audits with the same probes.",
        )
    pairs = Pairs.of(old, new)
    drafts = [_draft(name, theirs[name], ours[name], pairs, level) for name in shared]
    tested = [i for i, draft in enumerate(drafts) if draft.status != "untested"]
    raw = np.array([drafts[i].p for i in tested], dtype=np.float64)
    for i, p, spend in zip(tested, holm(raw), holm_levels(raw, 1 - level), strict=True):
        drafts[i] = _decided(drafts[i], float(p), float(spend), 1 - level)
    if _same_model(old, new):
        drafts = [_of_the_audits(one) for one in drafts]
    return Comparison(
        baseline=_baseline(old),
        differences=tuple(drafts),
        level=level,
        notes=_notes(old, new, pairs, [name for name in theirs if name not in ours]),
    )


def worsening(difference: Difference) -> Estimate:
    """The difference with the sign for which more is worse, to be compared with a non-inferiority margin."""
    change = difference.change
    if change.better != "higher":
        return change
    return dataclasses.replace(change, value=-change.value, low=-change.high, high=-change.low, better="lower")


def _estimates(report: Report) -> dict[tuple[str, str], Estimate]:
    return {
        (result.probe, estimate.name): estimate
        for result in report.results
        if isinstance(result, Result)
        for estimate in result.estimates
    }


def _draft(name: tuple[str, str], old: Estimate, new: Estimate, pairs: Pairs, level: float) -> Difference:
    """The difference with its own p-value, before the correction for others."""
    paired = pairs.difference(name[0], old, new, level)
    change = paired or independent_difference(new.name, new, old, level=level)
    caveat = new.caveat or old.caveat
    exact = paired is None and new.counts is None and (new.low == new.high or old.low == old.high)
    if caveat is None and (new.bound or old.bound or exact):
        caveat = BOUNDS_DIFFER
    untested = caveat is not None or new.aid or new.better == "neither" or new.unit in COSTS
    p = min(1.0, 2 * min(p_beyond(change, 0.0, "above"), p_beyond(change, 0.0, "below")))
    return Difference(
        probe=name[0],
        estimate=name[1],
        old=old.value,
        new=new.value,
        change=dataclasses.replace(_possible(change), caveat=caveat),
        paired=paired is not None,
        status="untested" if untested else "same",
        p=1.0 if untested else p,
    )


def _possible(change: Estimate) -> Estimate:
    """Its interval without differences that two shares cannot have."""
    if change.unit not in BOUNDED:
        return change
    low, high = max(change.low, min(-1.0, change.value)), min(change.high, max(1.0, change.value))
    return dataclasses.replace(change, low=low, high=high)


def _with_caveat(change: Estimate, caveat: Text) -> Estimate:
    return dataclasses.replace(change, caveat=caveat)


def _decided(draft: Difference, p: float, spend: float, alpha: float) -> Difference:
    """With the interval at the level that was spent on it, so that it excludes 0 exactly if a change is shown."""
    status: Change = "same"
    if p <= alpha and draft.change.value != 0:
        rises = draft.change.value > 0
        status = "better" if rises == (draft.change.better == "higher") else "worse"
    low, high = at_level(draft.change, 1 - spend, difference=True)
    change = _possible(dataclasses.replace(draft.change, low=low, high=high, level=1 - spend))
    return dataclasses.replace(draft, p=p, status=status, change=change)


def _same_model(old: Report, new: Report) -> bool:
    """Whether the same weights were audited on the same data."""
    ours, theirs = new.model.get("digest"), old.model.get("digest")
    return bool(ours) and ours == theirs and old.data.get("fingerprint") == new.data.get("fingerprint")


def _of_the_audits(one: Difference) -> Difference:
    """A model that did not change is neither better nor worse, whatever its audits measure."""
    if one.status not in ("better", "worse"):
        return one
    return dataclasses.replace(one, status="untested", p=1.0, change=_with_caveat(one.change, SAME_MODEL))


def _baseline(old: Report) -> Mapping[str, Json]:
    return {
        "name": old.model.get("name"),
        "digest": old.model.get("digest"),
        "fingerprint": old.data.get("fingerprint"),
        "seed": old.audit.get("seed"),
        "version": old.version,
        "verdict": old.verdict.status,
        **({"finished": old.cost["finished"]} if old.cost.get("finished") else {}),
    }


def _name(report: Report) -> str:
    return str(report.model.get("name", "the report"))


def _notes(old: Report, new: Report, pairs: Pairs, missing: list[tuple[str, str]]) -> tuple[Message, ...]:
    """What a reader must know before believing the differences."""
    notes = []
    if old.data.get("fingerprint") != new.data.get("fingerprint"):
        notes.append(Message("comparison.other-data"))
    elif pairs.reason:
        notes.append(Message("comparison.unpaired", {"reason": pairs.reason}))
    if _same_model(old, new):
        notes.append(Message("comparison.same-weights"))
    if old.version != new.version:
        notes.append(Message("comparison.other-version", {"old": old.version, "new": new.version}))
    changed = [name for name in _params(old) if name in _params(new) and _params(old)[name] != _params(new)[name]]
    if changed:
        notes.append(Message("comparison.other-parameters", {"probes": tuple(changed)}))
    if missing:
        named = tuple(f"{probe} {estimate}" for probe, estimate in missing[:MISSING_NAMED])
        left = len(missing) - len(named)
        more = Message("comparison.more", {"left": left}) if left else None
        notes.append(Message("comparison.only-baseline", {"estimates": named, "more": more}))
    return tuple(notes)


def _params(report: Report) -> dict[str, dict[str, object]]:
    """Treats lists and tuples as equal, because one of them was read back from a file."""
    return {
        result.probe: {k: list(v) if isinstance(v, list | tuple) else v for k, v in result.params.items()}
        for result in report.results
        if isinstance(result, Result)
    }
