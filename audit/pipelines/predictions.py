"""An audit of predictions only: no model, nothing trained; the same probes, gate and report."""

from __future__ import annotations

import hashlib

import numpy as np

from audit.config.audit_config import Config
from audit.config.run_settings import Settings
from audit.evidence.predictions import Predictions
from audit.pipelines.listener import Listener
from audit.pipelines.outcome import judged, probed
from audit.pipelines.probing import probes_of
from probes.evidence import Evidence
from probes.message import Message, Text
from probes.probe import requires
from reports.report import Json, Report


def audit_predictions(predictions: Predictions, config: Config, settings: Settings, listener: Listener) -> Report:
    """Run the probes that need only predictions, and judge. Raises DataError if the parts do not fit together."""
    evidence, seed = predictions.evidence(), settings.seed or 0
    here = {"samples"} if predictions.texts is not None else set()
    asked = probes_of(config, evidence.modality)
    probes = [probe for probe in asked if set(requires(probe)) <= here]
    without = sorted(probe.name for probe in asked if probe not in probes)
    results = probed(probes, evidence, seed, listener)
    limits: tuple[Text, ...] = evidence.limits
    if without:
        limits = (*limits, Message("audit.not-run-without", {"probes": tuple(without)}))
    data = _data(predictions, evidence)
    ids = predictions.named(len(evidence.labels))
    return judged(_model(predictions), data, evidence, results, limits, config, settings, listener, ids=ids)


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
