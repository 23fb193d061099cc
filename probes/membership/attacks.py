"""The ladder of attacks, from cheap to strong. Each attack is a pure function whose scores are higher for members.

Third parties can add attacks through entry points in the group `audit.attacks`: functions from a Target to scores, or
to None if the attack cannot be run (no replicas, no reference population).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import EntryPoint

import numpy as np
from jaxtyping import Float64

from probes.errors import PluginError
from probes.large_arrays import parts
from probes.membership.attackers import LADDER
from probes.membership.lira import Mode, lira_scores
from probes.membership.multi_query import agreement, lira_query_scores
from probes.membership.quantile_regression import FEWEST, describe, quantile_scores
from probes.membership.rmia import rmia_scores
from probes.membership.target import Target
from probes.message import Message
from probes.registry import Registry

ENOUGH = 16
"""Replicas needed on each side of every sample before a standard deviation per sample is better than a common one."""

Scores = Float64[np.ndarray, " samples"]
Attack = Callable[[Target], Scores | None]


def _accept(name: str, loaded: object) -> Attack:
    if not callable(loaded):
        raise PluginError(f"{loaded!r} is not an attack (a function from Target to scores)")
    attack: Attack = loaded
    return attack


ATTACKS = Registry("audit.attacks", "attack", _accept)


def loss(target: Target) -> Scores | None:
    """The log-probability of the label (Yeom et al. 2018).

    target  the answers of the model under attack; no replicas are needed

    Returns a score for each sample, higher for members, in nats.

    >>> from probes.membership.example import reached
    >>> reached(loss)
    0.83
    """
    return np.asarray(target.answers.log_prob[0], dtype=np.float64)


def entropy(target: Target) -> Scores | None:
    """Minus the entropy of the prediction (Shokri et al. 2017).

    target  the answers of the model under attack; neither replicas nor labels are needed

    Returns a score for each sample, higher for members, in nats.

    >>> from probes.membership.example import reached
    >>> reached(entropy)
    0.82
    """
    return np.asarray(-target.answers.entropy[0], dtype=np.float64)


def modified_entropy(target: Target) -> Scores | None:
    """Minus the modified entropy, which takes the label into account (Song & Mittal 2021).

    target  the answers of the model under attack; no replicas are needed

    Returns a score for each sample, higher for members, in nats.

    >>> from probes.membership.example import reached
    >>> reached(modified_entropy)
    0.83
    """
    return np.asarray(-target.answers.modified_entropy[0], dtype=np.float64)


def per_class(target: Target) -> Scores | None:
    """φ minus the median of its class, that is, one threshold per class (Song & Mittal 2021), without labelled shadow
    models.

    target  the answers and labels of the model under attack; no replicas are needed

    Returns a score for each sample, higher for members, in nats.

    >>> from probes.membership.example import reached
    >>> reached(per_class)
    0.83
    """
    phi = np.array(target.answers.margin[0], dtype=np.float64)
    for label in np.unique(target.labels):
        mine = target.labels == label
        phi[mine] -= np.median(phi[mine])
    return phi


def calibrated(target: Target) -> Scores | None:
    """φ minus its mean over replicas that did not train on the sample (Watson et al. 2022).

    target  the margins of the model and of its replicas

    Returns a score for each sample, higher for members, in nats; None unless every sample has replicas that trained on
    it and replicas that did not.

    >>> from probes.membership.example import reached
    >>> reached(calibrated)
    0.89
    """
    if not target.in_and_out:
        return None
    mean = np.empty(len(target.labels))
    for part in parts(len(mean), len(target.keep)):
        out = np.where(target.keep[:, part], np.nan, target.replicas.margin[:, part].astype(np.float64))
        mean[part] = np.nanmean(out, axis=0)
    return np.asarray(target.answers.margin[0] - mean)


def lira_online(target: Target) -> Scores | None:
    """LiRA with in- and out-replicas, one variance for all samples (Carlini et al. 2022): a log-likelihood ratio.

    target  the margins of the model and of its replicas

    Returns a score for each sample, higher for members; None unless every sample has replicas that trained on it and
    replicas that did not.

    >>> from probes.membership.example import reached
    >>> reached(lira_online)
    0.88
    """
    if not target.in_and_out:
        return None
    return lira_scores(target.answers.margin[0], target.replicas.margin, target.keep, variance="global")


def lira_offline(target: Target) -> Scores | None:
    """LiRA with out-replicas only, one-sided (Carlini et al. 2022, section IV-D), one variance for all samples.

    target  the margins of the model and of its replicas

    Returns a score for each sample, higher for members; None unless every sample has replicas that trained on it and
    replicas that did not.

    >>> from probes.membership.example import reached
    >>> reached(lira_offline)
    0.88
    """
    if not target.in_and_out:
        return None
    return lira_scores(target.answers.margin[0], target.replicas.margin, target.keep, mode="offline", variance="global")


def lira_online_per_sample(target: Target) -> Scores | None:
    """LiRA with a variance for every sample (Carlini et al. 2022).

    target  the margins of the model and of its replicas

    Returns a score for each sample, higher for members; None with fewer than ENOUGH replicas on either side of some
    sample.

    >>> from probes.membership.example import reached
    >>> reached(lira_online_per_sample)
    0.87
    """
    if target.fewest_replicas < ENOUGH:
        return None
    return lira_scores(target.answers.margin[0], target.replicas.margin, target.keep)


def lira_offline_per_sample(target: Target) -> Scores | None:
    """LiRA with out-replicas only and a variance for every sample (Carlini et al. 2022, section IV-D).

    target  the margins of the model and of its replicas

    Returns a score for each sample, higher for members; None with fewer than ENOUGH replicas on either side of some
    sample.

    >>> from probes.membership.example import reached
    >>> reached(lira_offline_per_sample)
    0.88
    """
    if target.fewest_replicas < ENOUGH:
        return None
    return lira_scores(target.answers.margin[0], target.replicas.margin, target.keep, mode="offline")


def lira_queries(target: Target) -> Scores | None:
    """LiRA on the margins under several queries together (Carlini et al. 2022, VI-C).

    target  the margins of the model and of its replicas under every query

    Returns a score for each sample, higher for members; None without queries, or with fewer than two replicas on either
    side of some sample.

    >>> from probes.membership.example import reached
    >>> reached(lira_queries)
    0.88
    """
    own, theirs = target.answers.query_margin, target.replicas.query_margin
    # A covariance within samples needs a second replica somewhere on either side.
    if own is None or theirs is None or target.fewest_replicas < 2:
        return None
    phi = np.concatenate([target.answers.margin, own[0]])
    return lira_query_scores(phi, np.concatenate([target.replicas.margin[:, None], theirs], axis=1), target.keep)


def rmia_online(target: Target) -> Scores | None:
    """RMIA with in- and out-replicas (Zarifzadeh et al. 2024): the share of samples that no model trained on over which
    the sample's likelihood ratio dominates.

    target  the label's probabilities of the model and of its replicas, also on samples that no model trained on

    Returns a score for each sample, higher for members, in [0, 1]; None without samples that no model trained on, or
    unless every sample has replicas on both sides.

    >>> from probes.membership.example import reached
    >>> reached(rmia_online)
    0.85
    """
    return _rmia(target, "online")


def rmia_offline(target: Target) -> Scores | None:
    """RMIA with out-replicas only (Zarifzadeh et al. 2024): the same share as in `rmia_online`.

    target  the label's probabilities of the model and of its replicas, also on samples that no model trained on

    Returns a score for each sample, higher for members, in [0, 1]; None without samples that no model trained on, or
    unless every sample has replicas on both sides.

    >>> from probes.membership.example import reached
    >>> reached(rmia_offline)
    0.85
    """
    return _rmia(target, "offline")


def _rmia(target: Target, mode: Mode) -> Scores | None:
    if not target.in_and_out or not len(target.z):
        return None
    p = np.exp(target.answers.log_prob[0].astype(np.float64))
    scores = np.empty(len(p))
    for part in parts(len(p), len(target.keep)):
        p_replicas = np.exp(target.replicas.log_prob[:, part].astype(np.float64))
        scores[part] = rmia_scores(p[part], p_replicas, target.keep[:, part], target.z, target.z_replicas, mode=mode)
    return scores


def label_only(target: Target) -> Scores | None:
    """How many views of the sample are assigned its label; uses predicted labels only (Choquette-Choo et al. 2021).

    target  the labels that the model predicts under every query

    Returns a score for each sample, higher for members, from 0 to the number of views; None if there were no queries.

    >>> from probes.membership.example import reached
    >>> reached(label_only)
    0.61
    """
    if target.answers.query_correct is None:
        return None
    return agreement(target.answers.correct(target.labels)[0], target.answers.query_correct[0])


def gradient_norm(target: Target) -> Scores | None:
    """Minus the logarithm of the norm of the loss gradient in the last layer (Nasr et al. 2019): a white-box attack.

    target  the norm of the loss gradient in the last layer

    Returns a score for each sample, higher for members; None if the last layer could not be observed.

    >>> from probes.membership.example import reached
    >>> reached(gradient_norm)
    0.83
    """
    if target.gradient_norm is None:
        return None
    return np.asarray(-np.log(np.maximum(target.gradient_norm.astype(np.float64), 1e-300)))


def quantile(target: Target) -> Scores | None:
    """φ relative to that of similar non-members, without replicas (Bertran et al. 2023), cross-fitted.

    target  the margins of the model, the samples' features and the folds

    Returns a score for each sample, higher for members; None without features of the samples, or with fewer than FEWEST
    known non-members in a fold.

    >>> import dataclasses
    >>> from probes.membership.example import example_target
    >>> target, member = example_target()
    >>> quantile(dataclasses.replace(target, features=None)) is None
    True
    """
    if target.features is None or not target.folds or min(len(fold.known) for fold in target.folds) < FEWEST:
        return None
    phi, described = target.answers.margin[0], describe(target.features, target.labels)
    scores = np.empty(len(phi))
    for fold in target.folds:
        known, scored = fold.known, fold.scored
        scores[scored] = quantile_scores(phi[known], described[known], phi[scored], described[scored])
    return scores


NEEDS: Mapping[str, Message] = {
    "label-only": Message("membership.needs-queries"),
    "lira-queries": Message("membership.needs-queries-and-replicas"),
    "gradient-norm": Message("membership.needs-last-layer"),
    "quantile": Message("membership.needs-features", {"known": FEWEST}),
    "calibrated": Message("membership.needs-replicas"),
    "lira-offline": Message("membership.needs-replicas"),
    "lira-online": Message("membership.needs-replicas"),
    "rmia-offline": Message("membership.needs-validation"),
    "rmia-online": Message("membership.needs-validation"),
    "empirical-bayes": Message("membership.needs-replicas-and-two"),
    "lira-offline-per-sample": Message("membership.needs-many-replicas", {"replicas": ENOUGH}),
    "lira-online-per-sample": Message("membership.needs-many-replicas", {"replicas": ENOUGH}),
}
"""What an attack requires; attacks not listed need only the model's answers."""


def not_run(ran: Iterable[str]) -> tuple[Message, ...]:
    """One note for each requirement that attacks of the ladder lacked."""
    lacking: dict[Message, list[str]] = {}
    for name in [name for name in NEEDS if name not in ran]:
        lacking.setdefault(NEEDS[name], []).append(name)
    return tuple(
        Message("membership.not-run", {"attacks": tuple(names), "need": need}) for need, names in lacking.items()
    )


def ladder(target: Target) -> dict[str, Scores]:
    """The scores of every attack that this target allows, by name.

    Raises PluginError if an attack fails, or does not give a score for every sample.
    """
    found: dict[str, Scores] = {}
    entries, ranks = ATTACKS.entries(), {name: rank for rank, name in enumerate(LADDER)}
    for name in sorted(entries, key=lambda name: (ranks.get(name, len(ranks)), name)):
        if (scores := _run(entries[name], target)) is not None:
            found[name] = scores
    return found


def _run(entry: EntryPoint, target: Target) -> Scores | None:
    attack = ATTACKS.load(entry.name)
    try:
        given = attack(target)
    except Exception as error:
        raise PluginError(f"does not run: {type(error).__name__}: {error}", where=ATTACKS.origin(entry)) from error
    if given is None:
        return None
    scores = np.asarray(given, dtype=np.float64)
    if scores.shape != target.labels.shape or not np.isfinite(scores).all():
        raise PluginError(
            f"gave scores of shape {scores.shape}, expected {target.labels.shape}, all of them finite",
            where=ATTACKS.origin(entry),
        )
    return scores
