"""Attackers in plain words: who they are, what they need, and what they learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool

from probes.membership.strongest_attack import Scores, level_each, strongest
from probes.message import Message
from probes.result import Scalar, Table, by_column
from probes.statistics.roc import auc
from probes.statistics.threshold import tpr_at_true_fpr

ATTACKERS: Sequence[tuple[str, str, tuple[str, ...]]] = (
    ("any user who sees the predicted label", "the record and a few altered copies of it", ("label-only",)),
    (
        "any user who sees confidences",
        "the record",
        (
            "loss",
            "entropy",
            "modified-entropy",
            "per-class",
            "zlib",
            "min-k",
            "min-k-plus-plus",
            "lower-case",
            "error-zone",
        ),
    ),
    (
        "somebody with similar data",
        "known non-members and the source model",
        ("quantile", "recall", "likelihood-ratio", "window-comparison"),
    ),
    (
        "somebody who knows data and recipe",
        "data like the training data, and the time to train replicas",
        (
            "calibrated",
            "lira-offline",
            "lira-offline-per-sample",
            "rmia-offline",
            "lira-online",
            "lira-online-per-sample",
            "lira-queries",
            "rmia-online",
            "empirical-bayes",
        ),
    ),
    ("somebody who has the weights", "the model file", ("gradient-norm",)),
)
"""Who they are, what they need, and the attacks of the ladder that become possible for them; a stronger attacker can
also run a weaker one's attacks."""
ELSE = ("others", "what their attack needs")


def attackers_table(scores: Scores, member: Bool[np.ndarray, " samples"], fpr: float, level: float) -> Table:
    """One row per attacker: the strongest attack available to it; each interval is corrected for having tried all of
    its attacks."""
    listed = {name for _, _, names in ATTACKERS for name in names}
    others = tuple(name for name in scores if name not in listed)
    rows: list[tuple[Scalar | Message, ...]] = []
    for who, needs, names in (*ATTACKERS, (*ELSE, others)):
        mine = {name: scores[name] for name in names if name in scores}
        if mine:
            rows.append((who, needs, *_best(mine, member, fpr, level)))
        elif names:
            rows.append((who, needs, "not run", None, None, None, "–"))
    heads = ("attacker", "needs", "attack", "AUC", "low", "high", f"members found at {100 * fpr:g} % false alarms")
    return Table(
        name="attackers",
        title=Message("membership.attackers.title"),
        caption=Message("membership.attackers.caption", {"level": level}),
        columns=by_column(heads, rows),
    )


def _best(
    mine: Mapping[str, np.ndarray], member: Bool[np.ndarray, " samples"], fpr: float, level: float
) -> tuple[str, float, float, float, Message]:
    each = level_each(level, len(mine))
    best, found = strongest({name: auc(score, member, level=each) for name, score in mine.items()}, level)
    rates = [tpr_at_true_fpr(score, member, fpr, name="tpr", level=each).value for score in mine.values()]
    members = int(member.sum())
    named = Message("membership.count-of", {"count": round(max(rates) * members), "of": members})
    return best, round(found.value, 3), round(found.low, 3), round(found.high, 3), named
