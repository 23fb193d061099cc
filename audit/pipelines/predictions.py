"""An audit of predictions only: no model, nothing trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

from audit.evidence.predictions import Predictions
from audit.pipelines.base import Asked, Gathered, Pipeline
from audit.results.metadata import digest_arrays
from reports.report import Json


class PredictionsOnly(Pipeline):
    """What a model answered. Raises DataError if the parts do not fit together."""

    def __init__(self, predictions: Predictions) -> None:
        self.predictions, self.evidence = predictions, predictions.evidence()
        self.modality = self.evidence.modality
        self.offers = frozenset({"samples"} if predictions.texts is not None else ())
        self.ids = predictions.named(len(self.evidence.labels))

    def gather(self, asked: Asked) -> Iterator[Gathered]:
        yield Gathered(evidence=self.evidence, limits=self.evidence.limits)

    @cached_property
    def model(self) -> Mapping[str, Json]:
        return {
            "name": self.predictions.name,
            "architecture": "predictions",
            "given": "predictions",
            "digest": digest_arrays(self.predictions.logits),
            "source_digest": "none",
            "parameters": 0,
            "transfer": "unknown",
            "recipe": {},
            "trained_with": {},
        }

    @cached_property
    def data(self) -> Mapping[str, Json]:
        evidence, pool = self.evidence, self.evidence.pool
        return {
            "name": self.predictions.name,
            "fingerprint": digest_arrays(evidence.labels, evidence.inputs),
            "modality": evidence.modality,
            "samples": len(evidence.labels),
            "members": int(pool.member.sum()),
            "held_out": int(pool.held_out.sum()),
            "validation": int(pool.validation.sum()),
            "classes": list(evidence.classes),
        }
