"""Does a method depend on the model at all? Cascading parameter randomisation (Adebayo et al. 2018, section 3)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int, Shaped

from probes.drift.explain import names as naming
from probes.drift.observables.attribution import explained
from probes.measures.randomise import cascade
from probes.observable import OnHeldOut, Subject

if TYPE_CHECKING:
    from torch import Tensor

DEPTHS = (0.0, 0.5, 1.0)
"""Shares of the layers, from the top down, whose parameters are re-initialised; 0 is only the head."""


@dataclass(frozen=True, kw_only=True)
class Sanity(OnHeldOut):
    """`maps/METHOD` [chosen ...] of the audited model, and `DEPTH/maps/METHOD` [chosen ...] of its copy randomised from
    the head down to each of DEPTHS (numbered)."""

    methods: tuple[str, ...] = ()
    samples: int = 16
    steps: int = 6
    layer: str = ""

    def __call__(
        self,
        subject: Subject,
        inputs: Shaped[Tensor, "chosen ..."],
        labels: Int[Tensor, " chosen"],
        rng: np.random.Generator,
    ) -> Mapping[str, Shaped[np.ndarray, "..."]]:
        from probes.drift.explain.target import why_label

        methods = naming.chosen(self.methods, subject.modality)
        arrays: dict[str, np.ndarray] = {}
        for stage, depth in enumerate((None, *DEPTHS)):
            network = subject.network if depth is None else cascade(subject.network, depth, rng)
            asked = why_label(dataclasses.replace(subject, network=network), inputs, labels, rng)
            asked = dataclasses.replace(asked, steps=self.steps, most=self.steps, layer=self.layer)
            found = explained(methods, asked)
            prefix = "" if depth is None else f"{stage - 1}/"
            arrays |= {f"{prefix}{name}": maps for name, maps in found.items() if name.startswith("maps/")}
        return arrays
