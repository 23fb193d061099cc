"""Which classes and groups have members that are exposed more than others."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy
from jaxtyping import Bool, Float64

from probes.evidence import Evidence
from probes.membership.exposure import Exposure
from probes.result import Finding
from probes.statistics.moderated_t import squeezed_variance
from probes.statistics.student_t import t_critical, t_tail

FEWEST = 5
"""The fewest samples on each side for a comparison."""
LARGEST_GROUPS = 20
ERROR_SHARE = 5
"""The part of the error allotted to uneven exposure, because false alarms of the probe add up."""
ENOUGH_TO_POOL = 10
"""The fewest strata from which a common prior of their variances is estimated: with fewer, a moderated t test gives two
to five times too many false alarms (simulated)."""

Changes = Float64[np.ndarray, "repeats samples"]
"""Returned by `exposure.differences`."""


def strata(evidence: Evidence) -> Iterator[tuple[str, str, Bool[np.ndarray, " samples"]]]:
    """(kind, name, members) of every class, and of the largest groups if the data has groups."""
    for number, name in enumerate(evidence.classes if np.ptp(evidence.labels) else ()):
        yield "class", name, evidence.labels == number
    groups = evidence.pool.groups
    if groups is None:
        return
    numbers, sizes = np.unique(groups[evidence.pool.indices], return_counts=True)
    for number in numbers[np.argsort(-sizes, kind="stable")][:LARGEST_GROUPS]:
        yield "group", group_name(evidence.group_names, int(number)), groups == number


def group_name(names: tuple[str, ...], number: int) -> str:
    return names[number] if 0 <= number < len(names) else str(number)


def uneven(evidence: Evidence, exposed: Exposure, change: Changes, level: float) -> tuple[Finding, ...]:
    """Classes and groups whose members' mean exposure exceeds that of all other members, over samples (Welch) and over
    repeats (Student): the larger of the two p-values, Bonferroni over all, at a fifth of the error.

    Over samples only, an effect of one model on a whole class or group would count as many observations. Such an effect
    does not cancel when whole groups are in one fold.
    """
    member = evidence.pool.member & np.isfinite(exposed.value)
    listed = [(kind, name, who & member) for kind, name, who in strata(evidence)]
    listed = [one for one in listed if min(one[2].sum(), (member & ~one[2]).sum()) >= FEWEST]
    if not listed:
        return ()
    over_repeats = _over_repeats(change, [(who, member & ~who) for *_, who in listed])
    findings = []
    for (kind, name, who), repeats in zip(listed, over_repeats, strict=True):
        theirs, others = exposed.value[who], exposed.value[member & ~who]
        samples = float(scipy.stats.ttest_ind(theirs, others, equal_var=False, alternative="greater").pvalue)
        if max(samples, float(repeats)) < (1 - level) / (ERROR_SHARE * len(listed)):
            mean, rest = float(theirs.mean()), float(others.mean())
            findings.append(
                Finding(
                    code="membership.uneven-exposure",
                    severity="low",
                    because=("recipe.auc",),
                    values={"kind": kind, "name": name, "mean": mean, "rest": rest},
                )
            )
    return tuple(findings)


def _over_repeats(
    change: Changes, sides: list[tuple[Bool[np.ndarray, " samples"], Bool[np.ndarray, " samples"]]]
) -> Float64[np.ndarray, " strata"]:
    """One-sided p-values of the differences of means, one difference per repeat; variances are moderated if there are
    enough strata."""
    contrast = np.array([_means(change, theirs) - _means(change, others) for theirs, others in sides])
    repeats = contrast.shape[1]
    variance, dof = np.maximum(contrast.var(axis=1, ddof=1), 1e-24), repeats - 1.0
    if len(contrast) >= ENOUGH_TO_POOL:
        variance, dof = squeezed_variance(variance, dof)
    return np.asarray(t_tail(contrast.mean(axis=1) / np.sqrt(variance / repeats), dof))


def _means(change: Changes, who: Bool[np.ndarray, " samples"]) -> Float64[np.ndarray, " repeats"]:
    """Of each repeat over these samples."""
    return np.array([np.nanmean(row[who]) for row in change])


def mean_exposure(
    evidence: Evidence, exposed: Exposure, change: Changes, kind: str, level: float
) -> dict[str, list[str] | list[float] | list[int]]:
    """Columns: name, members, mean exposure with a t interval over repeats, of every class or group that has members
    whose exposure is known."""
    member = evidence.pool.member & np.isfinite(exposed.value)
    rows: list[tuple[str, int, float, float, float]] = []
    for one, name, who in strata(evidence):
        values = exposed.value[who & member]
        if one != kind or not len(values):
            continue
        each = _means(change, who & member)
        half = t_critical(level, len(each) - 1) * float(each.std(ddof=1)) / np.sqrt(len(each))
        mean = float(values.mean())
        rows.append((name, len(values), mean, mean - half, mean + half))
    names, counts, means, lows, highs = zip(*rows, strict=True) if rows else ((), (), (), (), ())
    return {
        kind: list(names),
        "members": list(counts),
        "exposure": list(means),
        "low": list(lows),
        "high": list(highs),
    }
