"""Replicas that share a minibatch order must not make the recipe look leakier than independent models are."""

from pathlib import Path

import numpy as np
import pytest

from audit.engines.head import Head
from probes.membership.leave_one_out import stand_in_scores
from probes.plan import Row
from probes.statistics.roc import auc
from tests.audit.trained import with_weights

ORDERS, EACH = 16, 8


def rows_on_random_halves(pooled: np.ndarray, samples: int, name: str, rng: np.random.Generator) -> list[Row]:
    rows = []
    for number in range(ORDERS * EACH):
        keep = np.zeros(samples, dtype=bool)
        keep[rng.permutation(pooled)[: len(pooled) // 2]] = True
        order = f"{name}/{number % ORDERS if name == 'shared' else number}"
        rows.append(Row(design="splits", repeat=number, fold=0, order=order, keep=keep))
    return rows


@pytest.mark.slow
def test_stand_ins_leak_as_independent_models_do(tmp_path: Path) -> None:
    experiment = with_weights(transfer="features", train={"epochs": 30, "lr": 0.2, "batch_size": 20})
    pool = experiment.pool
    pooled, rng = np.flatnonzero(pool.member | pool.held_out), np.random.default_rng(0)
    mean, error = {}, {}
    for name in ("shared", "own"):
        rows = rows_on_random_halves(pooled, len(experiment.dataset), name, rng)
        materialised = Head().materialise(experiment, rows[0], tmp_path)
        margin, keep, order = [], [], []
        for batch in Head().together(experiment, rows):
            for outcome in Head().train(materialised, batch):
                labels = experiment.dataset.labels
                logits = outcome.logits[: len(labels)]
                own = np.take_along_axis(logits, labels[:, None], 1)[:, 0]
                others = logits.copy()
                np.put_along_axis(others, labels[:, None], -np.inf, 1)
                margin.append((own - np.logaddexp.reduce(others, axis=1))[pooled])
                keep.append(outcome.row.keep[pooled])
                order.append(int(outcome.row.order.rpartition("/")[2]))
        scores = stand_in_scores(np.array(margin), np.array(keep), np.array(order))
        each = np.array([auc(score, mask).value for score, mask in zip(scores, keep, strict=True)])
        mean[name], error[name] = each.mean(), each.std(ddof=1) / np.sqrt(ORDERS)
    # Independent models, each of an order of its own, are what a stand-in stands for.
    assert mean["own"] > 0.55
    assert abs(mean["shared"] - mean["own"]) < 2.6 * np.hypot(error["shared"], error["own"])
