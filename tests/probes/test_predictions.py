"""Evidence from arrays: what does not fit is one line, and shadow models are the folds of repeats where they can be."""

from __future__ import annotations

import inspect
import re
from typing import Any

import numpy as np
import pytest

from probes import evidence_of
from probes.errors import EvidenceError
from probes.membership import Membership
from probes.plan import Pool
from probes.predictions import rounds

N, SHADOWS = 300, 16


def made(leak: float, seed: int = 0) -> dict[str, Any]:
    """A model whose members' margins are higher by `leak`, and shadow models like it."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, N)
    members = np.array([rng.permutation(N) < N // 2 for _ in range(1 + SHADOWS)])
    outputs = rng.normal(0, 0.5, (len(members), N, 3))
    outputs[:, np.arange(N), labels] += 1 + rng.normal(0, 1, N) + leak * members
    shadows = {"shadow_outputs": outputs[1:], "shadow_members": members[1:]}
    return {"outputs": outputs[0], "labels": labels, "members": members[0], **shadows}


def test_a_probe_of_arrays_finds_a_leak_and_none_where_there_is_none() -> None:
    leaking, sound = (Membership()(evidence_of(**made(leak)), np.random.default_rng(0)) for leak in (2.0, 0.0))
    assert leaking["checkpoint.auc"].low > 0.7
    assert sound["checkpoint.auc"].low < 0.5 < leaking["recipe.auc"].low


def test_validation_samples_belong_to_neither_side() -> None:
    given, validation = made(0.0), np.zeros(N, dtype=bool)
    validation[np.flatnonzero(~given["members"])[:50]] = True
    pool = evidence_of(given["outputs"], given["labels"], given["members"], validation=validation).pool
    assert (pool.validation == validation).all()
    assert (pool.held_out == ~(given["members"] | validation)).all()


def test_probabilities_are_the_same_evidence_as_logits() -> None:
    given = made(1.0)
    p = np.exp(given["outputs"]) / np.exp(given["outputs"]).sum(1, keepdims=True)
    margins = [evidence_of(**given | {"outputs": one}).audited.margin for one in (given["outputs"], p)]
    np.testing.assert_allclose(*margins, rtol=1e-4, atol=1e-5)


def test_shadows_that_partition_the_pool_are_the_folds_of_one_repeat() -> None:
    n, none = 6, np.zeros(6, dtype=bool)
    member = np.arange(n) < 3
    pool = Pool(labels=np.zeros(n, int), member=member, held_out=~member, validation=none)
    out = np.array([[1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1], [1, 0, 1, 0, 1, 0], [0, 1, 1, 0, 0, 1]])
    assert rounds(out == 0, pool) == [(0, 0), (0, 1), (0, 2), (1, 0), (2, 0)]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"outputs": np.zeros((2, 3))}, "outputs have shape (2, 3), and there are 300 labels."),
        ({"labels": np.full(N, 7)}, "labels must be in 0..2"),
        ({"members": np.ones(2, dtype=bool)}, "members is bool of shape (2,), expected bool of (300,)."),
        ({"members": np.ones(N, dtype=bool)}, "an audit needs members and held-out samples"),
        ({"shadow_members": None}, "it is not known which samples trained the shadow models. Give shadow_members."),
        ({"shadow_members": np.zeros((SHADOWS, N), dtype=bool)}, "a shadow model has no member among the samples."),
        ({"shadow_outputs": np.zeros((SHADOWS, N, 4))}, "shadow_outputs have shape (16, 300, 4), not (16, 300, 3)."),
    ],
)
def test_arrays_that_do_not_fit_are_one_line(changes: dict[str, Any], says: str) -> None:
    unchecked = inspect.unwrap(evidence_of)  # in production, shapes in types are not checked
    with pytest.raises(EvidenceError, match=re.escape(says)):
        unchecked(**made(0.0) | changes)
