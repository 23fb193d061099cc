"""The ladder of attacks and its attackers: who they are, what they need, and what they learn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from probes.membership.strongest_attack import Scores, level_each, strongest
from probes.message import Message
from probes.result import Scalar, Table, by_column
from probes.statistics.roc import auc
from probes.statistics.threshold import tpr_at_true_fpr


@dataclass(frozen=True)
class Attacker:
    """Who it is, and what it needs. A stronger one can also run a weaker one's attacks."""

    who: str
    needs: str


SEES_LABELS = Attacker("any user who sees the predicted label", "the record and a few altered copies of it")
SEES_CONFIDENCES = Attacker("any user who sees confidences", "the record")
HAS_SIMILAR_DATA = Attacker("somebody with similar data", "known non-members and the source model")
KNOWS_RECIPE = Attacker(
    "somebody who knows data and recipe", "data like the training data, and the time to train replicas"
)
HAS_WEIGHTS = Attacker("somebody who has the weights", "the model file")
ATTACKERS = (SEES_LABELS, SEES_CONFIDENCES, HAS_SIMILAR_DATA, KNOWS_RECIPE, HAS_WEIGHTS)
OTHERS = Attacker("others", "what their attack needs")

LADDER: Mapping[str, Attacker] = {
    "label-only": SEES_LABELS,
    "loss": SEES_CONFIDENCES,
    "entropy": SEES_CONFIDENCES,
    "modified-entropy": SEES_CONFIDENCES,
    "per-class": SEES_CONFIDENCES,
    "gradient-norm": HAS_WEIGHTS,
    "quantile": HAS_SIMILAR_DATA,
    "calibrated": KNOWS_RECIPE,
    "lira-offline": KNOWS_RECIPE,
    "lira-offline-per-sample": KNOWS_RECIPE,
    "rmia-offline": KNOWS_RECIPE,
    "lira-online": KNOWS_RECIPE,
    "lira-online-per-sample": KNOWS_RECIPE,
    "lira-queries": KNOWS_RECIPE,
    "rmia-online": KNOWS_RECIPE,
    "empirical-bayes": KNOWS_RECIPE,
    "zlib": SEES_CONFIDENCES,
    "min-k": SEES_CONFIDENCES,
    "min-k-plus-plus": SEES_CONFIDENCES,
    "recall": HAS_SIMILAR_DATA,
    "lower-case": SEES_CONFIDENCES,
    "likelihood-ratio": HAS_SIMILAR_DATA,
    "error-zone": SEES_CONFIDENCES,
    "window-comparison": HAS_SIMILAR_DATA,
}
"""Attacks from cheap to strong, in the order of the tables, each with the weakest attacker who can run it; those on
sequences are last. Attacks from other distributions follow, by name."""


def attackers_table(scores: Scores, member: Bool[np.ndarray, " samples"], fpr: float, level: float) -> Table:
    """One row per attacker: the strongest attack available to it; each interval is corrected for having tried all of
    its attacks."""
    attacks = {name: LADDER.get(name, OTHERS) for name in (*LADDER, *scores)}
    rows: list[tuple[Scalar | Message, ...]] = []
    for attacker in (*ATTACKERS, OTHERS):
        names = [name for name, by in attacks.items() if by == attacker]
        mine = {name: scores[name] for name in names if name in scores}
        if mine:
            rows.append((attacker.who, attacker.needs, *_best(mine, member, fpr, level)))
        elif names:
            rows.append((attacker.who, attacker.needs, "not run", None, None, None, "–"))
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
