"""An audit of predictions alone: no model, nothing trained; the same probes, gate and report."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
from collections import Counter

import numpy as np

from audit.config.audit_config import Config
from audit.config.run_settings import Settings
from audit.evidence.observe import Observations
from audit.evidence.predictions import Predictions
from audit.listener import Listener
from audit.pipeline import asked_probes, run_probe
from audit.results.registration import content_of
from audit.runtime import versions
from probes.evidence import Evidence
from probes.message import Message, Text
from probes.texts import said
from reports.comparison.compare import compare
from reports.gate.judge import judge
from reports.report import Json, Report, Verdict

NEEDS_INPUTS = ("contamination", "drift")
"""Probes that look at samples or into models."""


def audit_predictions(predictions: Predictions, config: Config, settings: Settings, listener: Listener) -> Report:
    """Run the probes that predictions suffice for, and judge. Raises DataError where the parts do not fit."""
    evidence, seed = predictions.evidence(), settings.seed or 0
    without = [name for name in NEEDS_INPUTS if not (name == "contamination" and predictions.texts is not None)]
    listener.stage("probes")
    results = []
    for probe in config.probes():
        if probe.name in without:
            continue
        listener.probing(probe.name)
        results.append(run_probe(probe, evidence, Observations(), seed))
        listener.result(results[-1])
    limits: tuple[Text, ...] = evidence.limits
    if without:
        limits = (*limits, Message("audit.not-run-without", {"probes": tuple(without)}))
    # A probe that could not run is undecided, never a pass.
    probes = asked_probes(config)
    draft = Report(
        version=versions()["transfer-audit"],
        model=_model(predictions),
        data=_data(predictions, evidence),
        audit={
            "seed": seed,
            "replicas": dict(Counter(row.design for row in evidence.population.rows)),
            "versions": dict(versions()),
            "limits": [said(one) for one in limits],
            "configuration": content_of(config, seed),
            "probes": probes,
        },
        results=tuple(results),
        verdict=Verdict(status="undecided", checks=()),
    )
    comparison = None if settings.baseline is None else compare(settings.baseline, draft)
    today = settings.today or datetime.date.today()
    verdict = judge(results, config.gate(), today=today, comparison=comparison, probes=probes)
    report = dataclasses.replace(
        draft, comparison=comparison, verdict=dataclasses.replace(verdict, notes=(*limits, *verdict.notes))
    )
    listener.report(report)
    return report


def _digest(*arrays: np.ndarray) -> str:
    digest = hashlib.sha256()
    for one in arrays:
        digest.update(f"{one.dtype.str}{one.shape}".encode() + np.ascontiguousarray(one).tobytes())
    return digest.hexdigest()


def _model(predictions: Predictions) -> dict[str, Json]:
    return {
        "name": predictions.name,
        "architecture": "predictions",
        "digest": _digest(predictions.logits),
        "source_digest": "none",
        "parameters": 0,
        "transfer": "unknown",
        "recipe": {},
        "trained_with": {},
    }


def _data(predictions: Predictions, evidence: Evidence) -> dict[str, Json]:
    pool = evidence.pool
    return {
        "name": predictions.name,
        "fingerprint": _digest(evidence.labels, evidence.inputs),
        "modality": evidence.modality,
        "samples": len(evidence.labels),
        "members": int(pool.member.sum()),
        "held_out": int(pool.held_out.sum()),
        "validation": int(pool.validation.sum()),
        "classes": list(evidence.classes),
    }
