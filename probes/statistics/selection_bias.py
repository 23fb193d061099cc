"""How much of an accuracy is due to selecting the model on the samples that measure it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from probes.errors import EvidenceError
from probes.statistics.distributions import normal_quantile

DRAWS = 500
WIDER = 1.2
"""Factor on the binomial standard deviation, because the choice of the model varies as well. Simulated coverage is 94
to 99 % (tests/probes/statistics/test_selection_bias.py)."""


@dataclass(frozen=True, kw_only=True)
class SelectionBias:
    """An accuracy before and after correction for the selection of the model.

    reported    the accuracy on the samples that the model was selected on
    corrected   the accuracy with selection and measurement on different samples
    half_width  of the interval of `corrected`
    """

    reported: float
    corrected: float
    half_width: float

    @property
    def bias(self) -> float:
        return self.reported - self.corrected


def selection_bias(
    right: Bool[np.ndarray, "models samples"],
    rng: np.random.Generator,
    *,
    reported: int = 0,
    level: float = 0.95,
    draws: int = DRAWS,
) -> SelectionBias:
    """The accuracy of the best of several models, corrected for the choice by the bootstrap: the best on a resample is
    measured on the samples outside it (BBC; Tsamardinos, Greasidou & Borboudakis 2018, Machine Learning 107:1895).

    right     which model is right on which sample, for all models that were tried
    rng       generator for the resamples
    reported  the row of the model whose accuracy is reported; it wins ties
    level     two-sided coverage of the chosen model's true accuracy, in (0, 1)
    draws     number of bootstrap resamples, at least 1

    The interval is that of an accuracy on this many samples, widened by WIDER. Raises EvidenceError for fewer than two
    models, or fewer than ten samples.

    >>> right = np.random.default_rng(0).random((200, 100)) < 0.5    # 200 models that guess
    >>> best = int(right.mean(axis=1).argmax())
    >>> found = selection_bias(right, np.random.default_rng(1), reported=best)
    >>> round(found.reported, 2), round(found.corrected, 2)
    (0.68, 0.6)
    """
    models, samples = right.shape
    if models < 2 or samples < 10:
        raise EvidenceError(f"Expected models={models} >= 2 and samples={samples} >= 10.")
    order = np.concatenate([[reported], np.delete(np.arange(models), reported)])
    ranked = right[order].astype(np.float32)
    outside = []
    for _ in range(draws):
        weight = rng.multinomial(samples, np.full(samples, 1 / samples)).astype(np.float32)
        left_out = weight == 0
        if left_out.any():
            outside.append(float(ranked[int(np.argmax(ranked @ weight)), left_out].mean()))
    corrected = float(np.mean(outside))
    spread = math.sqrt(max(corrected * (1 - corrected), 1 / samples) / samples)
    half = normal_quantile(0.5 + level / 2) * WIDER * spread
    return SelectionBias(reported=float(right[reported].mean()), corrected=corrected, half_width=half)
