"""Negative transfer: is this recipe better than the same network from scratch, or than a linear probe?"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from probes.evidence import Evidence
from probes.message import Message
from probes.partial_result import Part
from probes.plan import Row
from probes.population import Population
from probes.result import Axis, Chart, Estimate, Finding, Scalar
from probes.statistics.corrected_resampled_t import nadeau_bengio

RIVALS = {"scratch": "recipe.gain_over_scratch", "linear-probe": "recipe.gain_over_linear_probe"}
NAMES = {"scratch": "training from scratch", "linear-probe": "a linear probe on frozen features"}
SERIES = {"scratch": "from scratch", "linear-probe": "linear probe"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Faced:
    """Held-out accuracy of the recipe and of its rival on the folds that both were trained for."""

    ours: Float64[np.ndarray, " folds"]
    theirs: Float64[np.ndarray, " folds"]
    n_train: float
    n_test: float

    def corrected(self, name: str, values: Float64[np.ndarray, " folds"], level: float, unit: str) -> Estimate:
        """Their mean, with an interval that is corrected for the training samples that folds share."""
        sizes = {"n_train": self.n_train, "n_test": self.n_test}
        return nadeau_bengio(name, values, **sizes, level=level, better="higher", unit=unit)


def faced(evidence: Evidence, kind: str) -> Faced | None:
    """None if there are fewer than two such folds."""
    splits, rival = evidence.population.design("splits"), evidence.population.design(kind)
    pairs = _paired(splits, rival)
    if len(pairs) < 2:
        return None
    out = np.array([~splits.keep[own] & (evidence.pool.member | evidence.pool.held_out) for own, _ in pairs])
    return Faced(
        ours=_outside_accuracy(evidence, splits, [own for own, _ in pairs], out),
        theirs=_outside_accuracy(evidence, rival, [other for _, other in pairs], out),
        n_train=float(np.mean([splits.keep[own].sum() for own, _ in pairs])),
        n_test=float(out.sum(axis=1).mean()),
    )


def rivals(evidence: Evidence, level: float) -> Part:
    """Held-out accuracy minus the rival's on the same masks, fold by fold; corrected for shared training samples."""
    estimates, findings, rows = [], [], []
    for kind, name in RIVALS.items():
        if (found := faced(evidence, kind)) is None:
            continue
        gain = found.corrected(name, found.ours - found.theirs, level, "points")
        estimates.append(gain)
        findings.append(_finding(kind, gain))
        rows += [(str(fold + 1), float(value), SERIES[kind]) for fold, value in enumerate(found.ours - found.theirs)]
    return Part(estimates=tuple(estimates), findings=tuple(findings), figures=(_chart(rows),) if rows else ())


def _paired(ours: Population, theirs: Population) -> list[tuple[int, int]]:
    """Positions of replicas with the same mask."""
    place = {_digest(row): position for position, row in enumerate(ours.rows)}
    return [(place[digest], position) for position, digest in enumerate(map(_digest, theirs.rows)) if digest in place]


def _digest(row: Row) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(row.keep).data).digest()


def _outside_accuracy(
    evidence: Evidence, population: Population, models: list[int], out: Bool[np.ndarray, "models samples"]
) -> Float64[np.ndarray, " models"]:
    """Accuracy of each of these models, on the samples that it did not train on."""
    correct = population.answers.correct(evidence.labels)[np.array(models)]
    return np.asarray((correct & out).sum(axis=1) / out.sum(axis=1))


def _finding(kind: str, gain: Estimate) -> Finding:
    rival = NAMES[kind]
    values: dict[str, Scalar] = {
        "rival": rival,
        "gain": gain.value,
        "low": gain.low,
        "high": gain.high,
        "folds": gain.n,
    }
    if gain.high < 0:
        return Finding(
            code="overfitting.negative-transfer" if kind == "scratch" else "overfitting.worse-than-linear-probe",
            severity="high" if kind == "scratch" else "medium",
            because=(gain.name,),
            values=values,
        )
    if gain.low > 0:
        return Finding(
            code="overfitting.transfer-helps" if kind == "scratch" else "overfitting.beats-linear-probe",
            severity="info",
            because=(gain.name,),
            values=values,
        )
    return Finding(
        code="overfitting.transfer-not-shown" if kind == "scratch" else "overfitting.no-better-than-linear-probe",
        severity="low" if kind == "scratch" else "info",
        because=(gain.name,),
        values=values,
    )


def _chart(rows: list[tuple[str, float, str]]) -> Chart:
    return Chart(
        name="rivals",
        mark="points",
        title=Message("overfitting.rivals.title"),
        caption=Message("overfitting.rivals.caption"),
        columns={
            "fold": [row[0] for row in rows],
            "gain": [row[1] for row in rows],
            "rival": [row[2] for row in rows],
        },
        x=Axis(column="fold", title="fold", scale="category"),
        y=Axis(column="gain", title="gain in accuracy"),
        series="rival",
        rules={"equal": 0.0},
    )
