"""Attacks of other tools on the answers of the same models, as `membership_power.py --peer` calls them.

SACRO-ML and the Adversarial Robustness Toolbox are packages (`pip install sacroml adversarial-robustness-toolbox`);
PrivacyGuard (github.com/facebookresearch/PrivacyGuard) is found where its checkout is on PYTHONPATH, ml_privacy_meter
(github.com/privacytrustlab/ml_privacy_meter) where a folder is that holds its `modules` and nothing else, because its
`audit.py` has the name of our package. What is not there is left out.

An attack is given the replicas once and then scores models: what does not depend on the model is computed once.
"""

from __future__ import annotations

import functools
import logging
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

Scored = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From a model's margins and probabilities of the label to scores of the pool's samples, higher for members."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Shadows:
    """Margins and probabilities of the label, by the replicas; `keep` says which replica trained on which sample of the
    pool. Samples beyond the pool trained no model."""

    phi: np.ndarray
    p: np.ndarray
    keep: np.ndarray

    @property
    def pool(self) -> int:
        return int(self.keep.shape[1])


def sacro(shadows: Shadows, *, fixed: bool) -> Scored:
    """Its online scores; it takes probabilities of the label and computes their logits itself."""
    from sacroml.attacks.likelihood_attack import LIRAAttack

    logging.disable(logging.INFO)
    pool = shadows.pool
    with tempfile.TemporaryDirectory() as folder:
        its = LIRAAttack(output_dir=folder, write_report=False, mode="online-carlini", fix_variance=fixed)
    inside, outside = (
        {sample: shadows.phi[mask[:, sample], sample].tolist() for sample in range(pool)}
        for mask in (shadows.keep, ~shadows.keep)
    )

    def scored(phi: np.ndarray, p: np.ndarray) -> np.ndarray:
        probability = 1 / (1 + np.exp(-phi[:pool].astype(np.float64)))
        scores, _ = its._compute_scores(np.zeros(pool, dtype=int), probability[:, None], outside, inside)
        return np.array(scores)[:, 1]

    return scored


def art(shadows: Shadows, *, kind: str) -> Scored:
    """An attack classifier that learns from the replicas how answers about members look; as features, the label's
    probability and the rest."""
    from art.attacks.inference.membership_inference import MembershipInferenceBlackBox
    from art.estimators.classification import PyTorchClassifier
    from torch import nn

    pool = shadows.pool
    answers = shadows.p[:, :pool]
    described = PyTorchClassifier(nn.Linear(2, 2), nn.CrossEntropyLoss(), (2,), 2)
    attack = MembershipInferenceBlackBox(described, attack_model_type=kind)
    attack.fit(pred=_pairs(answers[shadows.keep]), test_pred=_pairs(answers[~shadows.keep]))

    def scored(phi: np.ndarray, p: np.ndarray) -> np.ndarray:
        found = attack.infer(None, pred=_pairs(p[:pool]), probabilities=True)
        return np.asarray(found).reshape(pool, -1)[:, -1]

    return scored


def _pairs(p: np.ndarray) -> np.ndarray:
    return np.stack([p, 1 - p], axis=-1).astype(np.float32)


def privacy_guard_lira(shadows: Shadows, *, fixed: bool) -> Scored:
    """Its online attack on margins; with `fixed`, one standard deviation for each side."""
    import pandas as pd
    from privacy_guard.analysis.mia.aggregate_analysis_input import AggregationType
    from privacy_guard.attacks.lira_attack import LiraAttack

    pool = shadows.pool
    known: dict[str, Any] = {"user_id": np.arange(pool)}
    for side, mask in (("in", shadows.keep), ("out", ~shadows.keep)):
        inside = np.where(mask, shadows.phi[:, :pool].astype(np.float64), np.nan)
        known |= {f"score_mean_{side}": np.nanmean(inside, axis=0), f"score_std_{side}": np.nanstd(inside, axis=0)}

    def scored(phi: np.ndarray, p: np.ndarray) -> np.ndarray:
        table = pd.DataFrame(known | {"score_orig": phi[:pool]})
        attack = LiraAttack(table, table.copy(), AggregationType.NONE, "user_id", fixed, "mix", online_attack=True)
        # It drops rows whose score is not finite; a sample that it does not score gets the lowest.
        found = attack.run_attack().df_train_user.reindex(range(pool))["score"].to_numpy()
        return np.nan_to_num(found, nan=-1e9)

    return scored


def privacy_guard_rmia(shadows: Shadows) -> Scored:
    import pandas as pd
    from privacy_guard.analysis.mia.aggregate_analysis_input import AggregationType
    from privacy_guard.attacks.rmia_attack import RmiaAttack

    models, pool = len(shadows.keep), shadows.pool

    def table(samples: slice, member: np.ndarray) -> pd.DataFrame:
        columns: dict[str, Any] = {"user_id": np.arange(member.shape[1])}
        columns |= {f"score_ref_{model}": shadows.p[model, samples] for model in range(models)}
        columns |= {f"member_ref_{model}": member[model] for model in range(models)}
        return pd.DataFrame(columns)

    pooled, unseen = slice(None, pool), slice(pool, None)
    population = table(unseen, np.zeros((models, shadows.p.shape[1] - pool), dtype=bool))
    both = table(pooled, shadows.keep)

    def scored(phi: np.ndarray, p: np.ndarray) -> np.ndarray:
        own, others = both.assign(score_orig=p[pooled]), population.assign(score_orig=p[unseen])
        attack = RmiaAttack(own, own, others, AggregationType.NONE, models, online=True)
        return attack.run_attack().df_train_user.sort_values("user_id")["score"].to_numpy()

    return scored


def privacy_meter(shadows: Shadows) -> Scored:
    """Its RMIA, which is offline, with its default `offline_a`."""
    from modules.mia.attacks.rmia import run_rmia

    pool = shadows.pool

    def scored(phi: np.ndarray, p: np.ndarray) -> np.ndarray:
        theirs = shadows.p[:, :pool].T, shadows.keep.T
        return np.asarray(run_rmia(p[:pool], *theirs, p[pool:], shadows.p[:, pool:].T, 0.3))

    return scored


ATTACKS: dict[str, tuple[str, Callable[[Shadows], Scored]]] = {
    "SACRO-ML, LiRA": ("sacroml", functools.partial(sacro, fixed=False)),
    "SACRO-ML, LiRA, fixed variance": ("sacroml", functools.partial(sacro, fixed=True)),
    "ART, gradient boosting": ("art", functools.partial(art, kind="gb")),
    "ART, random forest": ("art", functools.partial(art, kind="rf")),
    "PrivacyGuard, LiRA": ("privacy_guard", functools.partial(privacy_guard_lira, fixed=False)),
    "PrivacyGuard, LiRA, fixed variance": ("privacy_guard", functools.partial(privacy_guard_lira, fixed=True)),
    "PrivacyGuard, RMIA": ("privacy_guard", privacy_guard_rmia),
    "ml_privacy_meter, RMIA": ("modules.mia", privacy_meter),
}
"""The module that must be importable, and the attack."""


def installed() -> dict[str, Callable[[Shadows], Scored]]:
    found = {module: _there(module) for module in {module for module, _ in ATTACKS.values()}}
    return {name: attack for name, (module, attack) in ATTACKS.items() if found[module]}


def _there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of the package above it
        return False
