"""The probe on samples whose model matters little."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from probes.contamination import Contamination
from probes.evidence import Evidence
from probes.plan import Pool
from probes.result import Result
from tests.probes.overfitting.trained import evidence


def audit(inputs: np.ndarray, member: np.ndarray, labels: np.ndarray | None = None, **more: Any) -> Result:
    return Contamination()(untrained(inputs, member, labels, **more), np.random.default_rng(0))


def untrained(inputs: np.ndarray, member: np.ndarray, labels: np.ndarray | None = None, **more: Any) -> Evidence:
    """Evidence whose model matters little: what counts are the samples."""
    given = np.arange(len(inputs)) % 3 if labels is None else labels
    none = np.zeros(len(inputs), dtype=bool)
    pool = Pool(labels=given, member=member, held_out=~member, validation=none, groups=more.pop("groups", None))
    noise = np.random.default_rng(1).normal(size=(len(inputs), 4))
    return evidence(noise, pool, lambda x, y: LogisticRegression().fit(x, y), stored=inputs, **more)


def halves(n: int, rng: np.random.Generator) -> np.ndarray:
    member = np.zeros(n, dtype=bool)
    member[rng.permutation(n)[: n // 2]] = True
    return member


def codes(result: Result) -> set[str]:
    return {finding.code for finding in result.findings}


def dummies(words: list[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    known = sorted(set(words))
    return np.array([[word == one for one in known] for word in words], dtype=np.float64), tuple(
        f"status={word}" for word in known
    )
