"""Evidence of really trained small models: a plan's rows, each fitted by a scikit-learn classifier."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

from probes.answers import Answers, answers
from probes.evidence import Evidence, Trace
from probes.plan import Plan, Pool, Row
from probes.population import Population

Fit = Callable[[np.ndarray, np.ndarray], Any]
"""(inputs, labels) → a fitted classifier with `predict_proba`."""


def make_pool(
    labels: np.ndarray, members: int, held_out: int, rng: np.random.Generator, validation: int = 0, **more: Any
) -> Pool:
    order = rng.permutation(len(labels))
    masks = np.zeros((3, len(labels)), dtype=bool)
    masks[0, order[:members]] = True
    masks[1, order[members : members + held_out]] = True
    masks[2, order[members + held_out : members + held_out + validation]] = True
    return Pool(labels=labels, member=masks[0], held_out=masks[1], validation=masks[2], **more)


def ask(model: Any, inputs: np.ndarray, labels: np.ndarray, classes: int) -> Answers:
    """The answers of one fitted classifier; classes it never saw have (nearly) no probability."""
    probability = np.full((len(inputs), classes), 1e-12)
    probability[:, model.classes_] = np.clip(model.predict_proba(inputs), 1e-12, None)
    return answers(np.log(probability)[None], labels)


def evidence(
    inputs: np.ndarray,
    pool: Pool,
    fit: Fit,
    plan: Plan | None = None,
    *,
    seed: int = 0,
    rivals: Mapping[str, Fit] | None = None,
    trace: Trace | None = None,
    stored: np.ndarray | None = None,
    **more: Any,
) -> Evidence:
    """The audited model is `fit` on the members; `rivals` maps the designs 'scratch' and 'linear-probe' to theirs."""
    classes = int(pool.labels.max()) + 1
    flat = inputs.reshape(len(inputs), -1).astype(np.float64)

    def train(row_fit: Fit, keep: np.ndarray, targets: np.ndarray) -> Answers:
        return ask(row_fit(flat[keep], targets[keep]), flat, targets, classes)

    rows: list[Row] = []
    for design in plan.designs if plan else ():
        # The same stream, the same masks: so rivals pair with splits.
        stream = np.random.default_rng([seed, zlib.crc32(design.stream.encode())])
        rows += list(design.rows(pool, stream))
    ways = {**(rivals or {})}
    told = [
        train(ways.get(row.design, fit), row.keep, pool.labels if row.targets is None else row.targets) for row in rows
    ]
    return Evidence(
        pool=pool,
        classes=tuple(str(number) for number in range(classes)),
        audited=train(fit, pool.member, pool.labels),
        population=Population(rows=tuple(rows), answers=stacked(told, len(flat))),
        inputs=inputs if stored is None else stored,
        trace=trace,
        **more,
    )


def stacked(told: list[Answers], samples: int) -> Answers:
    names = ("log_prob", "margin", "entropy", "modified_entropy", "confidence", "predicted")
    if not told:
        empty = {name: np.zeros((0, samples), dtype=np.float32) for name in names}
        return Answers(**{**empty, "predicted": np.zeros((0, samples), dtype=np.int32)})
    return Answers(**{name: np.concatenate([getattr(one, name) for one in told]) for name in names})


def digits(size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Real handwritten digits, [size 64] in 0..1, and their labels."""
    inputs, labels = load_digits(return_X_y=True)
    chosen = rng.permutation(len(labels))[:size]
    return inputs[chosen] / 16, labels[chosen].astype(np.int64)


def population_evidence(pool: Pool, rows: tuple[Row, ...], told: Answers, classes: int = 0) -> Evidence:
    """Evidence of given answers; the audited model is the first row."""
    classes = classes or int(pool.labels.max()) + 1
    return Evidence(
        pool=pool,
        classes=tuple(str(number) for number in range(classes)),
        audited=told[np.array([0])],
        population=Population(rows=rows, answers=told),
        inputs=np.zeros((len(pool.labels), 1)),
    )
