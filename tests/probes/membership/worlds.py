"""Synthetic evidence: margins that do, or do not, remember who trained them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from probes.answers import Answers, answers
from probes.evidence import Evidence
from probes.membership import sequence_attacks
from probes.membership.attackers import LADDER
from probes.membership.attacks import ATTACKS
from probes.membership.gradient_norm import GradientNorm, last_layer_norm
from probes.observable import Observation
from probes.plan import Pool, Row, Sizes, Splits
from probes.population import Population

OF_CLASSIFIERS = {name for name in LADDER if ATTACKS.load(name).__module__ != sequence_attacks.__name__}
"""The attacks that need no sequences."""
NAMES = ("log_prob", "margin", "entropy", "modified_entropy", "confidence", "predicted")


@dataclass(frozen=True, kw_only=True)
class World:
    """Two classes; a sample's margin is its difficulty, plus `leak` where the model trained on it, plus noise.

    `noise` is a sample's standard deviation between models, in nats, or the range it is drawn from. `shared` is the
    standard deviation of what one model adds to all samples of a class, to all of a group, and along the first input:
    models differ in their classes' thresholds too, which no mean over samples takes away.

    `everything` adds what attacks beyond margins need: features that know the difficulty, two queries, gradients. With
    `fades`, leak is `leak` × (samples trained on)^−fades. The pool and its difficulties are drawn from `seed`, models
    from `models` where it is given.
    """

    leak: float
    seed: int
    models: int | None = None
    repeats: int = 4
    members: int = 60
    held_out: int = 60
    validation: int = 20
    everything: bool = False
    fades: float | None = None
    groups: int = 0
    noise: float | tuple[float, float] = 0.7
    folds_correlate: float = 0.0
    shared: float = 0.0

    def evidence(self) -> Evidence:
        rng = np.random.default_rng(self.seed)
        n = self.members + self.held_out + self.validation
        part = rng.permutation(np.repeat([0, 1, 2], [self.members, self.held_out, self.validation]))
        pool = Pool(
            labels=rng.integers(0, 2, n),
            member=part == 0,
            held_out=part == 1,
            validation=part == 2,
            groups=rng.integers(0, self.groups, n) if self.groups else None,
        )
        difficulty = rng.normal(1, 1.5, n)
        inputs = np.column_stack([difficulty + rng.normal(0, 1, n), rng.normal(0, 1, (n, 3))]).astype(np.float32)
        drawn = rng if self.models is None else np.random.default_rng([self.seed, self.models])
        rows = list(Splits(repeats=self.repeats).rows(pool, drawn)) if self.repeats else []
        if self.fades is not None:
            rows += list(Sizes(repeats=4).rows(pool, drawn))
        deviation = np.full(n, self.noise) if isinstance(self.noise, float) else rng.uniform(*self.noise, n)
        errors = deviation * self._errors(rows, n, drawn)
        own_error = deviation * drawn.normal(size=n)
        if self.shared:
            common = self._shared(len(rows) + 1, pool, inputs[:, 0], drawn)
            errors, own_error = errors + common[1:], own_error + common[0]
        audited = self._model(pool.member, pool, difficulty, drawn, own_error)
        parts = [self._model(row.keep, pool, difficulty, drawn, own) for row, own in zip(rows, errors, strict=True)]
        observations = {}
        if self.everything:
            norm = _gradient(audited.margin[0], pool, inputs)
            observations[GradientNorm()] = {"audited": Observation(samples=pool.indices, arrays=norm)}
        return Evidence(
            pool=pool,
            classes=("a", "b"),
            audited=audited,
            population=Population(rows=tuple(rows), answers=stack(parts, n)),
            inputs=inputs if self.everything else np.zeros((n, 1), dtype=np.float32),
            modality="table",
            group_names=tuple(f"ward {number}" for number in range(self.groups)),
            observations=observations,
        )

    def _errors(self, rows: list[Row], n: int, rng: np.random.Generator) -> np.ndarray:
        """Standard normal for each row and sample, those of one order equally correlated, as far as K folds can be."""
        found = rng.normal(size=(len(rows), n))
        order = np.array([row.order for row in rows])
        for own in np.unique(order):
            mine = found[order == own]
            k = len(mine)
            rho = max(self.folds_correlate, -0.95 / (k - 1)) if k > 1 else 0.0
            common = mine.mean(axis=0)
            found[order == own] = np.sqrt(1 - rho) * (mine - common) + np.sqrt(1 + (k - 1) * rho) * common
        return found

    def _shared(self, models: int, pool: Pool, drift: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """What each model adds to whole classes, to whole groups and along an input, [models samples]."""
        by_class = rng.normal(size=(models, 2))[:, pool.labels]
        along = rng.normal(size=(models, 1)) * (drift - drift.mean()) / drift.std()
        by_group = 0.0
        if pool.groups is not None:
            by_group = rng.normal(size=(models, int(pool.groups.max()) + 1))[:, pool.groups]
        return np.asarray(self.shared * (by_class + along + by_group))

    def _model(
        self, keep: np.ndarray, pool: Pool, difficulty: np.ndarray, rng: np.random.Generator, errors: np.ndarray
    ) -> Answers:
        n = len(keep)
        leak = self.leak if self.fades is None else self.leak * keep.sum() ** -self.fades
        shared = difficulty + leak * keep + errors
        queries = shared + rng.normal(0, 0.3, (2, n)) if self.everything else None
        return answers(
            _logits(shared, pool.labels)[None],
            pool.labels,
            None if queries is None else np.stack([_logits(one, pool.labels) for one in queries])[None],
        )


def _logits(margin: np.ndarray, labels: np.ndarray) -> np.ndarray:
    logits = np.zeros((len(labels), 2))
    logits[np.arange(len(labels)), labels] = margin
    return logits


def _gradient(margin: np.ndarray, pool: Pool, inputs: np.ndarray) -> dict[str, np.ndarray]:
    pooled = pool.indices
    logits = _logits(margin.astype(np.float64), pool.labels)[pooled]
    return {"gradient_norm": last_layer_norm(logits, inputs[pooled].astype(np.float64), pool.labels[pooled])}


def stack(parts: list[Answers], n: int) -> Answers:
    empty = {name: np.zeros((0, n), np.int32 if name == "predicted" else np.float32) for name in NAMES}
    asked = ("query_margin", "query_correct") if parts and parts[0].query_margin is not None else ()
    columns = {name: np.concatenate([empty[name], *(getattr(one, name) for one in parts)]) for name in NAMES}
    return Answers(**columns, **{name: np.concatenate([getattr(one, name) for one in parts]) for name in asked})
