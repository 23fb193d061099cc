"""The predictions of a trainer's model as logits: a network, an estimator or a function is evaluated on samples and
checked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Float, Float32, Int, Shaped
from torch import Tensor, nn

from audit.data.array_like import ArrayLike, FrameLike
from audit.models.answers import gives_logits, logits_in, masks_padding
from audit.models.number_inputs import takes_numbers
from audit.training.loop import predict
from probes.errors import TrainerError
from probes.predictions import as_logits

FLOAT32 = torch.float32


def rows_of(features: ArrayLike | None, chosen: Int[np.ndarray, " chosen"]) -> ArrayLike:
    """Some samples of a DataFrame, an array, a tensor, or a list."""
    if isinstance(features, FrameLike):
        return features.iloc[chosen]
    if isinstance(features, list | tuple):
        return [features[index] for index in chosen]
    some: ArrayLike = cast("np.ndarray", features)[chosen]
    return some


def is_estimator(made: object) -> bool:
    """Whether it has the prediction methods of scikit-learn's classifiers."""
    return hasattr(made, "predict_proba") or hasattr(made, "decision_function")


def ask(
    made: object, samples: int, classes: int, *, inputs: Tensor, features: ArrayLike | None, who: str
) -> Float[np.ndarray, "samples classes"]:
    """Logits of anything that a trainer may return. Raises TrainerError for anything else."""
    if isinstance(made, nn.Module):
        if not inputs.is_floating_point() and takes_numbers(made, inputs[:2]):
            inputs = inputs.float()
        given = checked(predict(masks_padding(gives_logits(made, classes)), inputs), samples, classes, who)
        return _unscaled(given, who)
    if isinstance(made, type):
        raise TrainerError(f"returned the class {made.__name__}.", where=who, do="Return a fitted model.")
    if is_estimator(made):
        return checked(
            _of_estimator(made, features if features is not None else inputs.numpy(), classes, who),
            samples,
            classes,
            who,
        )
    if callable(made):
        return _unscaled(checked(logits_in(made(np.arange(samples)), classes), samples, classes, who), who)
    raise TrainerError(
        f"returned a {type(made).__name__}.",
        where=who,
        do="Return a torch.nn.Module, an estimator, or a function from indices to logits.",
    )


def in_float32(made: object) -> object:
    """A network of another precision in that of the samples; anything else unchanged."""
    if isinstance(made, nn.Module) and any(one.is_floating_point() and one.dtype != FLOAT32 for one in _tensors(made)):
        return made.float()
    return made


def _tensors(network: nn.Module) -> Iterator[Tensor]:
    yield from network.parameters()
    yield from network.buffers()


def _unscaled(logits: Float[np.ndarray, "samples classes"], who: str) -> Float[np.ndarray, "samples classes"]:
    """The same logits. Raises TrainerError if they look like probabilities that were scaled, or of separate yes-or-no
    questions: as logits they would be another model."""
    rows = logits.sum(axis=1)
    small = bool(logits.max() <= 1)
    if logits.min() < 0 or bool((logits == logits[0]).all()) or not (small or np.allclose(rows, rows[0], rtol=2e-3)):
        return logits
    said = f"lie between 0 and {logits.max():g}, and their rows sum to {rows.min():.4g}"
    raise TrainerError(
        f"predictions {said}{'' if small else ' each'}: neither logits nor probabilities of one class.",
        where=who,
        do="Return logits, or probabilities that sum to 1.",
    )


def checked(given: object, samples: int, classes: int, who: str) -> Float32[np.ndarray, "samples classes"]:
    """Raises TrainerError on a wrong shape or type, NaN or infinity."""
    array = np.asarray(given.detach().cpu() if isinstance(given, Tensor) else given)
    if array.dtype.kind not in "fiu" or array.ndim not in (1, 2):
        raise TrainerError(
            f"predictions are {array.dtype} of shape {array.shape}.", where=who, do="Give logits or probabilities."
        )
    array = array.astype(np.float64)
    if array.ndim == 1 and classes == 2 and len(array) == samples:
        array = _two_columns(array)
    if array.shape != (samples, classes):
        raise TrainerError(
            f"predictions have shape {array.shape}, not {(samples, classes)}.",
            where=who,
            do="Return a row for each requested sample and a column for each class.",
        )
    if not np.isfinite(array).all():
        sample = int(np.argmax(~np.isfinite(array).all(axis=1)))
        raise TrainerError(f"the prediction for sample {sample} is NaN or infinite.", where=who)
    return as_logits(array)


def _two_columns(one: Shaped[np.ndarray, " samples"]) -> Float[np.ndarray, "samples classes"]:
    """Two columns from a single number per sample: the second class's probability, or its logit."""
    if ((one >= 0) & (one <= 1)).all():
        return np.stack([1 - one, one], axis=1)
    return np.stack([np.zeros(len(one)), one], axis=1)


def _of_estimator(made: Any, features: Any, classes: int, who: str) -> Shaped[np.ndarray, "..."]:
    probable = hasattr(made, "predict_proba")
    given = np.asarray(made.predict_proba(features) if probable else made.decision_function(features), np.float64)
    known = np.asarray(getattr(made, "classes_", np.arange(given.shape[-1] if given.ndim > 1 else 2)))
    if given.ndim == 1:
        given = _two_columns(given)
    if len(known) == classes or known.dtype.kind not in "iu" or known.min() < 0 or known.max() >= classes:
        return given
    # A class without kept samples has no column: it gets the smallest probability.
    whole = np.full((len(given), classes), 0.0 if probable else given.min() - 1)
    whole[:, known] = given
    return whole
