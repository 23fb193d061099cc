"""Copies apart from the held-out figures: among members or in the validation split, their labels, and groups."""

from __future__ import annotations

from collections import Counter

import numpy as np
from jaxtyping import Bool, Int64

from probes.contamination.duplicates import Duplicates
from probes.evidence import Evidence
from probes.message import Message
from probes.partial_result import Part
from probes.result import Estimate, Finding
from probes.spelling import plain
from probes.statistics.proportions import proportion


def apart(evidence: Evidence, found: Duplicates) -> list[Finding]:
    """Copies that do not affect the held-out figures, but the number of members, or the choice of the epoch."""
    member, validation = evidence.pool.member, evidence.pool.validation
    groups = found.group[member & (found.group >= 0)]
    repeated = len(groups) - len(np.unique(groups))
    findings = []
    if repeated:
        findings.append(
            Finding(
                code="contamination.within-members",
                severity="info",
                values={"count": repeated, "n": int(member.sum())},
            )
        )
    chosen_on = validation & (found.equal_to(member) | found.near_to(member))
    if chosen_on.any():
        count, n = int(chosen_on.sum()), int(validation.sum())
        findings.append(
            Finding(
                code="contamination.validation",
                severity="low",
                samples=tuple(int(i) for i in np.flatnonzero(chosen_on)[:100]),
                values={"count": count, "n": n},
            )
        )
    return findings


def conflict_count(clashes: list[list[int]], found: Duplicates, level: float) -> Estimate:
    """How many groups of equal samples have more than one label.

    clashes  groups of equal samples whose labels differ
    found    the copies that were found
    level    noted on the estimate; the count is exact

    Returns the estimate, in groups of copies.
    """
    count, groups = float(len(clashes)), int(found.group.max(initial=-1)) + 1
    return Estimate(
        name="conflicting_labels",
        value=count,
        low=count,
        high=count,
        level=level,
        n=groups,
        counted="groups of copies",
        unit="groups of copies",
        better="lower",
    )


def conflict(clashes: list[list[int]]) -> list[Finding]:
    if not clashes:
        return []
    return [
        Finding(
            code="contamination.conflicting-labels",
            severity="low",
            because=("conflicting_labels",),
            samples=tuple(sample for clash in clashes for sample in clash)[:100],
            values={"count": len(clashes)},
        )
    ]


def groups_across(evidence: Evidence, level: float) -> Part:
    """The same patient on both sides is a copy of another kind: the share of held-out samples with a group mate among
    the members.

    evidence  the audited model's samples and answers
    level     two-sided coverage of the interval, in (0, 1)

    Returns the section; an empty one where the data has no groups.
    """
    groups = evidence.pool.groups
    if groups is None:
        return Part()
    member, held_out = evidence.pool.member, evidence.pool.held_out
    same = held_out & np.isin(groups, groups[member])
    kept = _as_meant(groups, evidence.group_names)
    both = held_out & np.isin(kept, kept[member])
    count, n = int(both.sum()), int(held_out.sum())
    share = proportion("group_shared_share", count, n, level=level, better="lower")
    if not count:
        return Part(estimates=(share,))
    finding = Finding(
        code="contamination.groups-across-split",
        severity="high" if count > 0.05 * n else "medium",
        because=("group_shared_share",),
        samples=tuple(int(i) for i in np.flatnonzero(both)[:100]),
        values={"count": count, "n": n, "alike": _alike(evidence, groups, kept, both & ~same)},
    )
    return Part(estimates=(share,), findings=(finding,))


def _as_meant(groups: Int64[np.ndarray, " samples"], names: tuple[str, ...]) -> Int64[np.ndarray, " samples"]:
    """The groups, those with names that are written differently as one. A name that several groups have is none."""
    given = np.unique(groups)
    if not names or given[0] < 0 or given[-1] >= len(names):
        return groups
    written = Counter(names)
    first: dict[str, int] = {}
    meant = np.arange(len(names))
    for number in given.tolist():
        if written[names[number]] == 1:
            meant[number] = first.setdefault(plain(names[number]), number)
    return np.asarray(meant[groups])


def _alike(
    evidence: Evidence,
    groups: Int64[np.ndarray, " samples"],
    kept: Int64[np.ndarray, " samples"],
    only: Bool[np.ndarray, " samples"],
) -> Message | None:
    """How many samples share a group only under another name, and an example."""
    if not only.any():
        return None
    one = int(only.argmax())
    other = int(np.flatnonzero(evidence.pool.member & (kept == kept[one]))[0])
    names = [evidence.group_names[int(groups[sample])] for sample in (one, other)]
    return Message("contamination.groups-alike", {"count": int(only.sum()), "one": names[0], "other": names[1]})
