"""What others build on: the names, their signatures, and errors that name the argument. The checks of array axes that
tests switch on are taken off here, since users do not have them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable

import numpy as np
import pytest

from probes import membership, statistics
from probes.errors import AuditError, EvidenceError, NonFiniteError
from probes.result import Estimate

RNG = np.random.default_rng(0)
KEEP = np.arange(6)[:, None] % 2 == np.arange(8) % 2
PHI, REPLICAS, Z, Z_REPLICAS = RNG.random(8), RNG.random((6, 8)), RNG.random(5), RNG.random((6, 5))
MEMBER = np.arange(8) < 3

CALLS: dict[str, tuple[Callable[..., object], dict[str, object]]] = {
    "lira": (membership.lira_scores, {"phi": PHI, "phi_replicas": REPLICAS, "keep": KEEP}),
    "rmia": (
        membership.rmia_scores,
        {"p": PHI, "p_replicas": REPLICAS, "keep": KEEP, "p_z": Z, "p_z_replicas": Z_REPLICAS},
    ),
    "margin": (membership.logit_margin, {"logits": REPLICAS, "labels": np.arange(6)}),
    "auc": (statistics.auc, {"score": PHI, "member": MEMBER}),
    "tpr": (statistics.tpr_at_fpr, {"score": PHI, "member": MEMBER, "fpr": 0.2}),
    "one-run": (membership.epsilon_one_run, {"canaries": 9, "guesses": 8, "correct": 7, "delta": 0.0}),
    "clopper-pearson": (
        membership.epsilon_clopper_pearson,
        {"true_positives": 9, "false_positives": 2, "members": 20, "non_members": 20, "delta": 0.0},
    ),
}


def poisoned(array: np.ndarray) -> np.ndarray:
    array = array.copy()
    array.flat[0] = np.nan
    return array


@pytest.mark.parametrize(
    ("call", "signature"),
    [
        ("margin", "logits, labels"),
        ("lira", "phi, phi_replicas, keep, *, mode='online', variance='per-sample'"),
        ("rmia", "p, p_replicas, keep, p_z, p_z_replicas, *, mode='online', gamma=1.0, a=0.3"),
        ("one-run", "canaries, guesses, correct, *, delta, level=0.95"),
        ("clopper-pearson", "true_positives, false_positives, members, non_members, *, delta, level=0.95"),
        ("auc", "score, member, *, name='auc', level=0.95"),
        ("tpr", "score, member, fpr, *, name='tpr', level=0.95"),
    ],
)
def test_the_signatures_are_these(call: str, signature: str) -> None:
    found = inspect.signature(CALLS[call][0])
    bare = [one.replace(annotation=inspect.Parameter.empty) for one in found.parameters.values()]
    assert str(inspect.Signature(bare)) == f"({signature})"


@pytest.mark.parametrize("call", CALLS)
def test_they_answer_in_float64(call: str) -> None:
    function, given = CALLS[call]
    answer = function(**given)
    if isinstance(answer, np.ndarray):
        assert answer.dtype == np.float64
        narrow = {k: v.astype(np.float32) if getattr(v, "dtype", None) == np.float64 else v for k, v in given.items()}
        assert function(**narrow).dtype == np.float64
    else:
        assert isinstance(answer, Estimate | float)


@pytest.mark.parametrize(
    ("call", "change", "error", "says"),
    [
        ("lira", {"phi": PHI[:-1]}, EvidenceError, "phi_replicas has shape"),
        ("lira", {"phi": PHI[None]}, EvidenceError, "phi has shape"),
        ("lira", {"phi_replicas": REPLICAS[:-1]}, EvidenceError, "keep has shape"),
        ("lira", {"phi_replicas": REPLICAS[0]}, EvidenceError, "phi_replicas has shape"),
        ("lira", {"keep": KEEP.T}, EvidenceError, "keep has shape"),
        ("lira", {"keep": KEEP.astype(int)}, EvidenceError, "keep has type int64, expected bool"),
        ("lira", {"keep": KEEP | True}, EvidenceError, "keep never has sample 0 out"),
        ("lira", {"keep": KEEP & False}, EvidenceError, "keep never has sample 0 in"),
        ("lira", {"keep": KEEP & (np.arange(8) != 3), "mode": "online"}, EvidenceError, "keep never has sample 3 in"),
        ("lira", {"phi": poisoned(PHI)}, NonFiniteError, "phi holds NaN"),
        ("lira", {"phi_replicas": poisoned(REPLICAS)}, NonFiniteError, "phi_replicas holds NaN"),
        ("lira", {"mode": "on"}, EvidenceError, "mode is 'on'"),
        ("lira", {"variance": "one"}, EvidenceError, "variance is 'one'"),
        ("rmia", {"p": PHI[:-1]}, EvidenceError, "p_replicas has shape"),
        ("rmia", {"p": poisoned(PHI)}, NonFiniteError, "p holds NaN"),
        ("rmia", {"p_replicas": poisoned(REPLICAS)}, NonFiniteError, "p_replicas holds NaN"),
        ("rmia", {"p_z": poisoned(Z)}, NonFiniteError, "p_z holds NaN"),
        ("rmia", {"p_z_replicas": poisoned(Z_REPLICAS)}, NonFiniteError, "p_z_replicas holds NaN"),
        ("rmia", {"p_z": Z[:0], "p_z_replicas": Z_REPLICAS[:, :0]}, EvidenceError, "p_z has shape"),
        ("rmia", {"p_z_replicas": Z_REPLICAS.T}, EvidenceError, "p_z_replicas has shape"),
        ("rmia", {"p": np.log(PHI)}, EvidenceError, "p must hold probabilities"),
        ("rmia", {"p_z_replicas": 2 + Z_REPLICAS}, EvidenceError, "p_z_replicas must hold probabilities"),
        ("rmia", {"keep": KEEP | True}, EvidenceError, "keep never has sample 0 out"),
        ("rmia", {"gamma": 0.0}, EvidenceError, "gamma=0.0"),
        ("rmia", {"a": 1.5}, EvidenceError, "a=1.5"),
        ("margin", {"labels": np.arange(5)}, EvidenceError, "labels has 5"),
        ("margin", {"labels": np.arange(6) + 4}, EvidenceError, "labels must be in"),
        ("margin", {"logits": poisoned(REPLICAS)}, NonFiniteError, "logits holds NaN"),
        ("auc", {"score": PHI[:-1]}, EvidenceError, "member has shape"),
        ("auc", {"score": REPLICAS}, EvidenceError, "score has shape"),
        ("auc", {"member": MEMBER.astype(int)}, EvidenceError, "member has type int64, expected bool"),
        ("auc", {"member": MEMBER & False}, EvidenceError, "member needs members and non-members, got 0 and 8"),
        ("auc", {"score": poisoned(PHI)}, NonFiniteError, "score holds NaN"),
        ("tpr", {"member": MEMBER[1:]}, EvidenceError, "member has shape"),
        ("tpr", {"fpr": 1.5}, EvidenceError, "fpr=1.5"),
        ("one-run", {"guesses": 10}, EvidenceError, "guesses=10"),
        ("one-run", {"correct": 9}, EvidenceError, "correct=9"),
        ("one-run", {"delta": 1.0}, EvidenceError, "delta=1.0"),
        ("one-run", {"level": 95}, EvidenceError, "level=95"),
        ("clopper-pearson", {"true_positives": 21}, EvidenceError, "true_positives=21"),
        ("clopper-pearson", {"false_positives": -1}, EvidenceError, "false_positives=-1"),
        ("clopper-pearson", {"delta": -0.1}, EvidenceError, "delta=-0.1"),
        ("clopper-pearson", {"non_members": 0, "false_positives": 0}, EvidenceError, "non_members=0"),
    ],
)
def test_what_cannot_be_used_is_named(
    call: str, change: dict[str, object], error: type[AuditError], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    function, given = CALLS[call]
    bare = inspect.unwrap(function)
    for name in ("check", "_check", "_check_rates"):
        if name in bare.__globals__:
            monkeypatch.setitem(bare.__globals__, name, inspect.unwrap(bare.__globals__[name]))
    with pytest.raises(error, match=re.escape(says)):
        bare(**(given | change))


def test_offline_needs_no_replica_that_trained_on_it() -> None:
    given = {"phi": PHI, "phi_replicas": REPLICAS, "keep": KEEP & False}
    assert np.isfinite(membership.lira_scores(**given, mode="offline")).all()
    probabilities = {"p": PHI, "p_replicas": REPLICAS, "keep": KEEP & False, "p_z": Z, "p_z_replicas": Z_REPLICAS}
    assert np.isfinite(membership.rmia_scores(**probabilities, mode="offline")).all()
