"""The ladder of attacks, from free to strong. A score is higher for members; an attack is one pure function.

Third parties add one by an entry point in the group `audit.attacks`: a function from Target to scores, or None where
it cannot be run (no replicas, no reference population).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points

import numpy as np
from jaxtyping import Bool, Float64, Int

from probes.errors import PluginError
from probes.evidence import Answers
from probes.membership.lira import lira_scores
from probes.membership.rmia import rmia_scores

GROUP = "audit.attacks"


@dataclass(frozen=True, kw_only=True, eq=False)
class Target:
    """One model under attack, on the pooled samples, beside replicas that share no minibatch order with it.

    `z` are the same models' probabilities of the label on samples that no model trained on; empty where there are none.
    """

    labels: Int[np.ndarray, " samples"]
    answers: Answers
    replicas: Answers
    keep: Bool[np.ndarray, "replicas samples"]
    z: Float64[np.ndarray, " population"]
    z_replicas: Float64[np.ndarray, "replicas population"]

    @property
    def in_and_out(self) -> bool:
        """Does every sample have replicas that trained on it and replicas that did not?"""
        return len(self.keep) > 0 and bool(self.keep.any(axis=0).all() and (~self.keep).any(axis=0).all())


Scores = Float64[np.ndarray, " samples"]
Attack = Callable[[Target], Scores | None]


def loss(target: Target) -> Scores | None:
    """Log-probability of the label (Yeom et al. 2018)."""
    return np.asarray(target.answers.log_prob[0], dtype=np.float64)


def entropy(target: Target) -> Scores | None:
    """Negative prediction entropy (Shokri et al. 2017)."""
    return np.asarray(-target.answers.entropy[0], dtype=np.float64)


def modified_entropy(target: Target) -> Scores | None:
    """Negative modified entropy (Song & Mittal 2021)."""
    return np.asarray(-target.answers.modified_entropy[0], dtype=np.float64)


def per_class(target: Target) -> Scores | None:
    """φ less the median of its class: a threshold a class (Song & Mittal 2021), without labelled shadows."""
    phi = np.array(target.answers.margin[0], dtype=np.float64)
    for label in np.unique(target.labels):
        mine = target.labels == label
        phi[mine] -= np.median(phi[mine])
    return phi


def calibrated(target: Target) -> Scores | None:
    """φ less its mean over replicas that did not train on the sample (Watson et al. 2022)."""
    if not target.in_and_out:
        return None
    out = np.where(target.keep, np.nan, target.replicas.margin.astype(np.float64))
    return np.asarray(target.answers.margin[0] - np.nanmean(out, axis=0))


def lira_online(target: Target) -> Scores | None:
    """LiRA with in- and out-replicas, one variance for all samples (Carlini et al. 2022)."""
    if not target.in_and_out:
        return None
    return lira_scores(target.answers.margin[0], target.replicas.margin, target.keep, variance="global")


def lira_offline(target: Target) -> Scores | None:
    """LiRA with out-replicas only, one-sided (Carlini et al. 2022, section IV-D)."""
    if not target.in_and_out:
        return None
    return lira_scores(target.answers.margin[0], target.replicas.margin, target.keep, mode="offline", variance="global")


def rmia(target: Target) -> Scores | None:
    """RMIA with in- and out-replicas (Zarifzadeh et al. 2024); needs samples that no model trained on."""
    if not target.in_and_out or not len(target.z):
        return None
    p = np.exp(target.answers.log_prob[0].astype(np.float64))
    p_replicas = np.exp(target.replicas.log_prob.astype(np.float64))
    return rmia_scores(p, p_replicas, target.keep, target.z, target.z_replicas)


LADDER: Mapping[str, Attack] = {
    "loss": loss,
    "entropy": entropy,
    "modified-entropy": modified_entropy,
    "per-class": per_class,
    "calibrated": calibrated,
    "lira-offline": lira_offline,
    "lira-online": lira_online,
    "rmia-online": rmia,
}


def all_attacks() -> dict[str, Attack]:
    """The ladder and what other distributions add to it. Raises PluginError naming the one that does not import."""
    found = dict(LADDER)
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        try:
            found[entry.name] = entry.load()
        except Exception as error:
            origin = entry.dist.name if entry.dist else "an unknown distribution"
            raise PluginError(
                f"does not import: {type(error).__name__}: {error}", where=f"attack {entry.name!r} of {origin}"
            ) from error
    return found
