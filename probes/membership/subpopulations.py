"""The class, and the group, whose members are recognised best: an average hides the worst case."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool

from probes.membership.strongest_attack import Scores, level_each, strongest
from probes.result import Estimate
from probes.statistics.roc import auc

FEWEST = 10
"""The fewest members, and fewest non-members, of a class or group that is evaluated."""


def worst(
    scores: Scores,
    member: Bool[np.ndarray, " samples"],
    strata: Sequence[tuple[str, Bool[np.ndarray, " samples"]]],
    name: str,
    level: float,
) -> Estimate | None:
    """The largest AUC over strata and attacks, with an interval corrected for both.

    scores  of each sample, by attack, higher for members
    member  which samples are members
    strata  parts of the samples by name, which may overlap
    name    of the estimate
    level   two-sided coverage of the interval, in (0, 1)

    Returns the estimate, a fraction; None without two strata that are large enough.
    """
    usable = [(label, who) for label, who in strata if min((who & member).sum(), (who & ~member).sum()) >= FEWEST]
    if len(usable) < 2:
        return None
    each = level_each(level, len(usable) * len(scores))
    found = {
        f"{label}\n{attack}": auc(score[who], member[who], name=name, level=each)
        for label, who in usable
        for attack, score in scores.items()
    }
    _, estimate = strongest(found, level)
    return dataclasses.replace(estimate, name=name, better="lower")
