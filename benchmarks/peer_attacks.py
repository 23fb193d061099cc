"""Attacks of other tools on the answers of the same models, as `membership_power.py --peer` calls them.

SACRO-ML and the Adversarial Robustness Toolbox are packages (`pip install sacroml adversarial-robustness-toolbox`);
PrivacyGuard (github.com/facebookresearch/PrivacyGuard) is found where its checkout is on PYTHONPATH, ml_privacy_meter
(github.com/privacytrustlab/ml_privacy_meter) where a folder is that holds its `modules` and nothing else, because its
`audit.py` has the name of our package. What is not there is left out.
"""

from __future__ import annotations

import functools
import logging
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np


@dataclass(frozen=True, kw_only=True, eq=False)
class Answered:
    """Margins and probabilities of the label, by the audited model and by its replicas; `keep` says which replica
    trained on which sample of the pool. Samples beyond the pool trained no model."""

    phi: np.ndarray
    p: np.ndarray
    phi_replicas: np.ndarray
    p_replicas: np.ndarray
    keep: np.ndarray

    @property
    def pool(self) -> int:
        return int(self.keep.shape[1])


def sacro(answered: Answered, *, fixed: bool) -> np.ndarray:
    """Its online scores; it takes probabilities of the label and computes their logits itself."""
    from sacroml.attacks.likelihood_attack import LIRAAttack

    logging.disable(logging.INFO)
    with tempfile.TemporaryDirectory() as folder:
        its = LIRAAttack(output_dir=folder, write_report=False, mode="online-carlini", fix_variance=fixed)
    inside, outside = (
        {sample: answered.phi_replicas[mask[:, sample], sample].tolist() for sample in range(answered.pool)}
        for mask in (answered.keep, ~answered.keep)
    )
    probability = 1 / (1 + np.exp(-answered.phi[: answered.pool].astype(np.float64)))
    scores, _ = its._compute_scores(np.zeros(answered.pool, dtype=int), probability[:, None], outside, inside)
    return np.array(scores)[:, 1]


def art(answered: Answered, *, kind: str) -> np.ndarray:
    """An attack classifier that learns from the replicas how answers about members look; as features, the label's
    probability and the rest."""
    pool = answered.pool
    attack = _art_fitted(answered.p_replicas[:, :pool].tobytes(), answered.keep.tobytes(), pool, kind)
    found = attack.infer(None, pred=_pairs(answered.p[:pool]), probabilities=True)
    return np.asarray(found).reshape(pool, -1)[:, -1]


@functools.lru_cache(maxsize=1)
def _art_fitted(p: bytes, keep: bytes, pool: int, kind: str):  # type: ignore[no-untyped-def]
    """The same replicas attack every target: the classifier is fitted once."""
    from art.attacks.inference.membership_inference import MembershipInferenceBlackBox
    from art.estimators.classification import PyTorchClassifier
    from torch import nn

    mask = np.frombuffer(keep, dtype=bool).reshape(-1, pool)
    answers = np.frombuffer(p, dtype=np.float64).reshape(-1, pool)
    described = PyTorchClassifier(nn.Linear(2, 2), nn.CrossEntropyLoss(), (2,), 2)
    attack = MembershipInferenceBlackBox(described, attack_model_type=kind)
    attack.fit(pred=_pairs(answers[mask]), test_pred=_pairs(answers[~mask]))
    return attack


def _pairs(p: np.ndarray) -> np.ndarray:
    return np.stack([p, 1 - p], axis=-1).astype(np.float32)


def privacy_guard_lira(answered: Answered, *, fixed: bool) -> np.ndarray:
    """Its online attack on margins; with `fixed`, one standard deviation for each side."""
    import pandas as pd
    from privacy_guard.analysis.mia.aggregate_analysis_input import AggregationType
    from privacy_guard.attacks.lira_attack import LiraAttack

    phi = answered.phi_replicas[:, : answered.pool].astype(np.float64)
    table = pd.DataFrame({"user_id": np.arange(answered.pool), "score_orig": answered.phi[: answered.pool]})
    for side, mask in (("in", answered.keep), ("out", ~answered.keep)):
        inside = np.where(mask, phi, np.nan)
        table[f"score_mean_{side}"], table[f"score_std_{side}"] = np.nanmean(inside, axis=0), np.nanstd(inside, axis=0)
    attack = LiraAttack(table, table.copy(), AggregationType.NONE, "user_id", fixed, "mix", online_attack=True)
    # It drops rows whose score is not finite; a sample that it does not score gets the lowest.
    found = attack.run_attack().df_train_user.reindex(range(answered.pool))["score"].to_numpy()
    return np.nan_to_num(found, nan=-1e9)


def privacy_guard_rmia(answered: Answered) -> np.ndarray:
    import pandas as pd
    from privacy_guard.analysis.mia.aggregate_analysis_input import AggregationType
    from privacy_guard.attacks.rmia_attack import RmiaAttack

    models, pool = len(answered.keep), answered.pool

    def table(samples: slice, member: np.ndarray) -> pd.DataFrame:
        columns = {"user_id": np.arange(member.shape[1]), "score_orig": answered.p[samples]}
        columns |= {f"score_ref_{model}": answered.p_replicas[model, samples] for model in range(models)}
        columns |= {f"member_ref_{model}": member[model] for model in range(models)}
        return pd.DataFrame(columns)

    pooled, unseen = slice(None, pool), slice(pool, None)
    population = table(unseen, np.zeros((models, len(answered.p) - pool), dtype=bool))
    both = table(pooled, answered.keep)
    attack = RmiaAttack(both, both, population, AggregationType.NONE, models, online=True)
    return attack.run_attack().df_train_user.sort_values("user_id")["score"].to_numpy()


def privacy_meter(answered: Answered) -> np.ndarray:
    """Its RMIA, which is offline, with its default `offline_a`."""
    from modules.mia.attacks.rmia import run_rmia

    pool = answered.pool
    return np.asarray(
        run_rmia(
            answered.p[:pool],
            answered.p_replicas[:, :pool].T,
            answered.keep.T,
            answered.p[pool:],
            answered.p_replicas[:, pool:].T,
            0.3,
        )
    )


ATTACKS: dict[str, tuple[str, Callable[[Answered], np.ndarray]]] = {
    "SACRO-ML, LiRA": ("sacroml", functools.partial(sacro, fixed=False)),
    "SACRO-ML, LiRA, fixed variance": ("sacroml", functools.partial(sacro, fixed=True)),
    "ART, gradient boosting": ("art", functools.partial(art, kind="gb")),
    "ART, random forest": ("art", functools.partial(art, kind="rf")),
    "PrivacyGuard, LiRA": ("privacy_guard", functools.partial(privacy_guard_lira, fixed=False)),
    "PrivacyGuard, LiRA, fixed variance": ("privacy_guard", functools.partial(privacy_guard_lira, fixed=True)),
    "PrivacyGuard, RMIA": ("privacy_guard", privacy_guard_rmia),
    "ml_privacy_meter, RMIA": ("modules.mia", privacy_meter),
}
"""The module that must be importable, and the scores of the pool's samples, higher for members."""


def installed() -> dict[str, Callable[[Answered], np.ndarray]]:
    found = {module: _there(module) for module in {module for module, _ in ATTACKS.values()}}
    return {name: attack for name, (module, attack) in ATTACKS.items() if found[module]}


def _there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of the package above it
        return False
