"""Attributions as an observable: what each model uses in the same samples."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Int, Shaped, UInt8

from probes.drift.explain import names as naming
from probes.drift.unsuited import Unsuited
from probes.message import Text, decoded, encoded
from probes.observable import Observation, OnHeldOut, Role, Subject

if TYPE_CHECKING:
    from torch import Tensor

    from probes.drift.explain.target import Question

Target = Literal["label", "embedding"]
LEFT_OUT = "left_out"


VARIANTS = 8
"""Largest number of variants that are explained."""


@dataclass(frozen=True, kw_only=True)
class Attribution(OnHeldOut):
    """Attributions by each method on `samples` held-out samples, stratified by class; path integrals of `steps` nodes,
    up to `most` while completeness is off by more than `tolerance`.

    Gives `maps/METHOD` [chosen positions...], and `left_out`: which methods are not suitable for the network, and why
    (JSON).
    """

    methods: tuple[str, ...] = ()
    target: Target = "embedding"
    samples: int = 24
    steps: int = 6
    most: int = 18
    tolerance: float = 0.05
    seeds: int = 3
    layer: str = ""

    def __post_init__(self) -> None:
        naming.check(self.methods)

    @property
    def models(self) -> Mapping[Role, int]:
        return {"audited": 1, "source": 1, "reference": 1, "seeds": self.seeds, "randomised": 1, "variant": VARIANTS}

    def __call__(
        self,
        subject: Subject,
        inputs: Shaped[Tensor, "chosen ..."],
        labels: Int[Tensor, " chosen"],
        rng: np.random.Generator,
    ) -> Mapping[str, Shaped[np.ndarray, "..."]]:
        from probes.drift.explain.target import why_embedding, why_label

        if self.target == "label" and not subject.same_labels:
            return {}
        question = (
            why_label(subject, inputs, labels, rng) if self.target == "label" else why_embedding(subject, inputs, rng)
        )
        question = dataclasses.replace(
            question, steps=self.steps, most=self.most, tolerance=self.tolerance, layer=self.layer
        )
        return explained(naming.chosen(self.methods, subject.modality), question)


def explained(methods: tuple[str, ...], question: Question) -> dict[str, Shaped[np.ndarray, "..."]]:
    """`maps/METHOD` for each suitable method, `left_out` for the others."""
    from probes.drift.explain.methods import explain

    arrays: dict[str, np.ndarray] = {}
    refused: dict[str, Text] = {}
    for method in methods:
        try:
            found = explain(method, question)
        except Unsuited as error:
            refused[method] = error.reason
            continue
        arrays[f"maps/{method}"] = found.maps.cpu().numpy().astype(np.float32)
    return {**arrays, LEFT_OUT: said(refused)}


def said(words: Mapping[str, Text]) -> UInt8[np.ndarray, " bytes"]:
    """Strings as an array, because observations are arrays."""
    return np.frombuffer(
        json.dumps({name: encoded(text) for name, text in words.items()}, sort_keys=True).encode(), dtype=np.uint8
    )


def heard(array: UInt8[np.ndarray, " bytes"]) -> dict[str, Text]:
    return {str(key): decoded(value) for key, value in json.loads(array.tobytes().decode()).items()}


def maps_of(observation: Observation | None, method: str) -> Shaped[np.ndarray, "samples ..."] | None:
    """The maps of a method, if it was requested and is suitable for the network."""
    return None if observation is None else observation.arrays.get(f"maps/{method}")


def methods_seen(observation: Observation | None, asked: Sequence[str]) -> tuple[str, ...]:
    """The requested methods, in order, for which the model has maps."""
    return tuple(method for method in asked if maps_of(observation, method) is not None)
