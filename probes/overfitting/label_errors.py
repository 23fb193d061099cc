"""Suspected label errors, from models that never saw the sample (confident learning, Northcutt et al. 2021)."""

from __future__ import annotations

import math

import numpy as np

from probes.evidence import Evidence
from probes.measures.confident_learning import out_of_fold, suspected, suspects_on_clean_labels
from probes.measures.memorisation import MEMORISED_AT, memorisation
from probes.message import Message
from probes.partial_result import Part
from probes.population import Population
from probes.result import Finding, Severity, Table
from probes.statistics.proportions import proportion

SHOWN = 50
DEVIATIONS, INEXACT = 3, 0.1
"""How many standard deviations the count must exceed the largest number that clean labels allow before labels, not
models, are suspected, and the relative error of that number."""


def label_errors(evidence: Evidence, splits: Population, level: float, rng: np.random.Generator) -> Part:
    """Samples whose label is contradicted by the replicas that did not train on them, how many would be named if all
    labels were correct, and how many of them the recipe memorises: a model that fits wrong labels is overfitted to
    them."""
    own, rival, rival_probability = out_of_fold(evidence, splits)
    known = np.isfinite(own)
    suspect = suspected(evidence.labels, own, rival, rival_probability)
    count = int(suspect.sum())
    share = proportion("recipe.suspected_label_errors", count, int(known.sum()), level=level, better="lower")
    per_sample = {"label_doubt": np.where(known, rival_probability - own, np.nan)}
    if not count:
        return Part(estimates=(share,), per_sample=per_sample)
    worst = np.flatnonzero(suspect)
    worst = worst[np.argsort(own[worst], kind="stable")]
    learned = memorisation(splits.answers.correct(evidence.labels), splits.keep) >= MEMORISED_AT
    both = int((suspect & learned).sum())
    clean, most = suspects_on_clean_labels(evidence.labels, own, rival, rival_probability, rng)
    severity: Severity = "info"
    if surprising(count, most):
        severity = "medium" if share.low > 0.03 and both > count / 2 and most < count / 2 else "low"
    finding = Finding(
        code="overfitting.label-errors",
        severity=severity,
        because=(share.name,),
        samples=tuple(int(i) for i in worst[:100]),
        values={
            "count": count,
            "share": share.value,
            "memorised": both,
            "clean": round(clean),
            "most": round(most),
            "wrong": max(0, count - round(clean)),
            "least": max(0, count - round(most)),
        },
    )
    return Part(
        estimates=(share,),
        findings=(finding,),
        figures=(_table(evidence, worst[:SHOWN], own, rival, rival_probability, learned),),
        per_sample=per_sample,
    )


def surprising(count: int, most: float) -> bool:
    """Are more labels suspected than models of this accuracy suspect, at most, on clean labels?"""
    return count > most + math.sqrt(DEVIATIONS**2 * (most + 1) + (INEXACT * most) ** 2)


def _table(
    evidence: Evidence,
    worst: np.ndarray,
    own: np.ndarray,
    rival: np.ndarray,
    rival_probability: np.ndarray,
    learned: np.ndarray,
) -> Table:
    return Table(
        name="label-errors",
        title=Message("overfitting.label-errors.title"),
        caption=Message("overfitting.label-errors.caption"),
        columns={
            "sample": [int(i) for i in worst],
            "label": [evidence.classes[int(evidence.labels[i])] for i in worst],
            "its probability": [round(float(own[i]), 3) for i in worst],
            "models say": [evidence.classes[int(rival[i])] for i in worst],
            "its probability, at least": [round(float(rival_probability[i]), 3) for i in worst],
            "memorised": ["yes" if learned[i] else "no" for i in worst],
        },
    )
