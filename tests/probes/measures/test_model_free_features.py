"""Splits that differ in ways that a table or a text can: the blind baseline sees them, and no random split."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from probes.answers import answers
from probes.evidence import Evidence
from probes.measures.blind_baseline import BlindBaseline, blind_baseline
from probes.measures.model_free_features import model_free_features
from probes.plan import Pool
from probes.population import Population
from tests.probes.membership.worlds import stack

SAMPLES = 400
Data = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Inputs, labels, and a number for each sample by which the split is made, noise included."""


def columns(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(SAMPLES, 6)).astype(np.float32)


def by_time(rng: np.random.Generator) -> Data:
    """Two columns drift."""
    time = np.linspace(0, 1, SAMPLES)
    x = columns(rng)
    x[:, :2] += time[:, None]
    return x, rng.integers(0, 2, SAMPLES), time


def by_class(rng: np.random.Generator) -> Data:
    labels = rng.integers(0, 4, SAMPLES)
    return columns(rng), labels, (labels == 0) + rng.normal(size=SAMPLES)


def by_missing_values(rng: np.random.Generator) -> Data:
    x, missing = columns(rng), rng.random(SAMPLES) < 0.3
    x[missing, 3] = np.nan
    return x, rng.integers(0, 2, SAMPLES), 1.5 * missing + rng.normal(size=SAMPLES)


def by_filled_values(rng: np.random.Generator) -> Data:
    """As above, but the missing ones were replaced by the median."""
    x, missing = columns(rng), rng.random(SAMPLES) < 0.3
    x[missing, 3] = np.median(x[:, 3])
    return x, rng.integers(0, 2, SAMPLES), 1.5 * missing + rng.normal(size=SAMPLES)


def by_spread(rng: np.random.Generator) -> Data:
    """Far from the mean, on either side."""
    x = columns(rng)
    return x, rng.integers(0, 2, SAMPLES), np.abs(x[:, 0]) + 0.5 * rng.normal(size=SAMPLES)


def words(length: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.array([" ".join(rng.choice(["one", "two", "three", "four", "five"], size)) for size in length])


def by_length(rng: np.random.Generator) -> Data:
    length = rng.integers(3, 30, SAMPLES)
    return words(length, rng), rng.integers(0, 2, SAMPLES), length + 8 * rng.normal(size=SAMPLES)


def by_a_word(rng: np.random.Generator) -> Data:
    """A signature that half of the texts of one source end with."""
    signed = rng.random(SAMPLES) < 0.3
    texts = words(rng.integers(3, 30, SAMPLES), rng)
    ended = np.array([f"{text} regards" if one else text for text, one in zip(texts, signed, strict=True)])
    return ended, rng.integers(0, 2, SAMPLES), 1.5 * signed + rng.normal(size=SAMPLES)


SPLITS = (by_time, by_class, by_missing_values, by_filled_values, by_spread, by_length, by_a_word)


def evidence(x: np.ndarray, labels: np.ndarray, member: np.ndarray) -> Evidence:
    pool = Pool(labels=labels, member=member, held_out=~member, validation=np.zeros(len(x), dtype=bool))
    return Evidence(
        pool=pool,
        classes=tuple("abcd"),
        audited=answers(np.zeros((1, len(x), 4)), labels),
        population=Population(rows=(), answers=stack([], len(x))),
        inputs=x,
        modality="text" if x.dtype.kind == "U" else "table",
    )


def blind(x: np.ndarray, labels: np.ndarray, member: np.ndarray) -> BlindBaseline:
    described = model_free_features(evidence(x, labels, member), np.arange(len(x)))
    found = blind_baseline(described.values, member, np.random.default_rng(0), level=0.98)
    assert found is not None
    return found


@pytest.mark.parametrize("split", SPLITS, ids=lambda split: split.__name__)
def test_a_split_that_differs_is_told_from_a_random_one(split: Callable[[np.random.Generator], Data]) -> None:
    rng = np.random.default_rng(5)
    x, labels, by = split(rng)
    assert blind(x, labels, by > np.median(by)).auc.low > 0.5
    assert blind(x, labels, rng.permutation(SAMPLES) < SAMPLES // 2).auc.low <= 0.5


def test_every_column_of_a_table_is_described_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, labels = np.random.default_rng(0).normal(size=(30, 600)).astype(np.float32), np.arange(30) % 2
    given = evidence(rows, labels, np.arange(30) < 15)
    assert len(_columns(given)) == 600
    monkeypatch.setattr("probes.measures.model_free_features.NUMBERS", 30 * 300)
    some = _columns(given)
    assert len(some) == 300
    assert {"column 0", "column 599"} <= set(some)


def _columns(given: Evidence) -> list[str]:
    return [name for name in model_free_features(given, given.pool.indices).names if name.startswith("column")]
