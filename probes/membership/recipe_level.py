"""What an attacker learns from models made by this recipe: every replica in turn as the audited model."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Int

from probes.evidence import Evidence
from probes.large_arrays import empty, parts, taken
from probes.membership.empirical_bayes import empirical_bayes_stand_in_scores
from probes.membership.leave_one_out import rmia_stand_in_scores, stand_in_scores
from probes.membership.neighbours import Neighbours
from probes.membership.order_intervals import Kept, Stood, over_orders, stand_in_aucs, tpr_over_orders
from probes.membership.strongest_attack import level_each, strongest
from probes.message import Message
from probes.partial_result import Part, rests_on
from probes.population import Population
from probes.result import Estimate

RMIA = "rmia-online"
WEIGHED = 0.01
"""The false-positive rate at which countermeasures are compared."""
Order = Int[np.ndarray, " replicas"]


def recipe_part(
    evidence: Evidence, population: Population, scores: Mapping[str, Stood], fprs: Sequence[float], level: float
) -> Part:
    """AUC and true-positive rates of the strongest attack on stand-ins, with an interval that is corrected for having
    tried all of them; needs replicas of at least two orders. `scores` are those of `stand_ins`."""
    keep, order = taken(population.keep, evidence.pool.indices, axis=-1), population.order
    each = level_each(level, len(scores))
    aucs = {
        attack: over_orders(
            "recipe.auc",
            stand_in_aucs(score, keep),
            order,
            level=each,
            unit="AUC",
            bounds=(0.0, 1.0),
            symmetric=attack != RMIA,
        )
        for attack, score in scores.items()
    }
    best, overall = strongest(aucs, level)
    found: list[Estimate] = [dataclasses.replace(overall, tradeoff="risk")]
    for fpr in fprs:
        name = f"recipe.tpr_at_{100 * fpr:g}pct_fpr"
        rates = {
            attack: tpr_over_orders(name, one, keep, order, fpr, level=each, symmetric=attack != RMIA)
            for attack, one in scores.items()
        }
        _, estimate = strongest(rates, level)
        estimate = dataclasses.replace(estimate, title=Message("membership.tpr-of-recipe", {"fpr": fpr}))
        if fpr == WEIGHED:
            estimate = dataclasses.replace(estimate, tradeoff="risk")
        found.append(dataclasses.replace(estimate, caveat=_unresolved(keep, fpr) or estimate.caveat))
    by_sample = {attack: calibrated(one, keep, order) for attack, one in scores.items()}
    found += [_by_sample(by_sample, keep, order, fpr, level) for fpr in fprs]
    return Part(
        estimates=tuple(dataclasses.replace(one, grown_by="repeats") for one in found),
        notes=(Message("membership.strongest-on-stand-ins", {"attack": best}),),
        examined=rests_on(len(order)),
    )


def _by_sample(by_sample: dict[str, Stood], keep: Kept, order: Order, fpr: float, level: float) -> Estimate:
    """The rate with a separate threshold for each sample, from `calibrated` scores. With one threshold for all, the
    false-positive rate of some samples may be many times the nominal rate, and that of others zero: the pooled rate is
    their average."""
    each = level_each(level, len(by_sample))
    name = f"recipe.tpr_at_{100 * fpr:g}pct_fpr_by_sample"
    rates = {attack: tpr_over_orders(name, one, keep, order, fpr, level=each) for attack, one in by_sample.items()}
    _, estimate = strongest(rates, level)
    title = Message("membership.tpr-by-sample", {"fpr": fpr})
    return dataclasses.replace(estimate, title=title, caveat=_unresolved(keep, fpr) or estimate.caveat)


def _unresolved(keep: Kept, fpr: float) -> Message | None:
    """The caveat of a rate at which all stand-ins together are allowed less than one false alarm."""
    out = keep.size - int(keep.sum())
    return Message("membership.unresolved-stand-ins", {"count": out}) if out * fpr < 1 else None


def calibrated(scores: Stood, keep: Kept, order: Order) -> Stood:
    """Each stand-in's scores minus the mean over stand-ins of other orders that did not train on the sample.

    >>> scores, keep = np.array([[3.0], [1.0], [2.0], [5.0]]), np.array([[True], [False], [True], [False]])
    >>> calibrated(scores, keep, np.array([0, 0, 1, 1])).ravel()
    array([-2., -4.,  1.,  4.])
    """
    total, count = np.empty(scores.shape[1]), len(keep) - keep.sum(axis=0)
    for part in parts(scores.shape[1], len(scores)):
        total[part] = np.where(keep[:, part], 0.0, scores[:, part]).sum(axis=0)
    found = empty(scores.shape, np.float64)
    for own in np.unique(order):
        mine = order == own
        rest = total - np.where(keep[mine], 0.0, scores[mine]).sum(axis=0)
        found[mine] = scores[mine] - rest / np.maximum(1, count - (~keep[mine]).sum(axis=0))
    return found


def stand_ins(evidence: Evidence, population: Population, neighbours: Neighbours | None = None) -> dict[str, Stood]:
    """Scores of every attack that is run on stand-ins; RMIA if there are validation samples."""
    pooled, z = evidence.pool.indices, np.flatnonzero(evidence.pool.validation)
    answers, keep, order = population.answers, taken(population.keep, pooled, axis=-1), population.order
    margin, log_p = (taken(one, pooled, axis=-1) for one in (answers.margin, answers.log_prob))
    scores = {
        "lira-online": stand_in_scores(margin, keep, order),
        "empirical-bayes": empirical_bayes_stand_in_scores(margin, log_p, keep, order, neighbours),
    }
    if len(z):
        scores[RMIA] = rmia_stand_in_scores(log_p, keep, order, answers.log_prob[:, z])
    return scores
