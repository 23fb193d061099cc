"""The answers of all models that were tried before one was chosen: which of them was right on which sample."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int, Shaped

from audit.checkpoints.audited_model import Audited
from audit.data.array_like import ArrayLike
from audit.data.arrays import names_in, read_arrays
from audit.data.handed_over import array
from audit.storage.atomic import write
from probes.errors import DataError, InputError
from probes.plan import Pool

NAMES = ("predicted", "outputs", "logits", "probabilities", "predictions", "probs")


def with_tried(audited: Audited, tried: str | Path | ArrayLike | None) -> Audited:
    """The audited model together with those that were tried: their answers, or the path of an .npz file. Raises
    InputError or DataError."""
    if tried is None:
        return audited
    pool, classes = audited.experiment.pool, len(audited.experiment.dataset.classes)
    read = (
        read_tried(Path(tried), pool, classes)
        if isinstance(tried, str | Path)
        else tried_of(array(tried, "tried"), pool, classes)
    )
    return dataclasses.replace(audited, tried=read)


def read_tried(path: Path, pool: Pool, classes: int) -> Bool[np.ndarray, "tried samples"]:
    """`predicted` [models, samples] (class numbers), or outputs [models, samples, classes], for all samples in the
    order of the data, or for the held-out ones in that order. Raises InputError or DataError."""
    if not path.exists():
        raise InputError("no such file.", where=str(path), do="Check --tried.")
    arrays = read_arrays(path, NAMES)
    if not arrays:
        held = ", ".join(names_in(path)[:10]) or "nothing"
        raise DataError(f"holds {held}, and no answers.", where=str(path), do="Give predicted [models, samples].")
    return tried_of(next(iter(arrays.values())), pool, classes, str(path))


def tried_of(
    answers: Shaped[np.ndarray, "..."], pool: Pool, classes: int, where: str = "tried"
) -> Bool[np.ndarray, "tried samples"]:
    """Whether each sample is answered correctly; members are ignored and may be absent."""
    predicted = _predicted(answers, classes, where)
    labels, held_out = pool.labels, pool.held_out
    if predicted.shape[1] == len(labels):
        return np.asarray(predicted == labels)
    if predicted.shape[1] != held_out.sum():
        raise DataError(
            f"answers are of {predicted.shape[1]} samples, the data has {len(labels)}, {int(held_out.sum())} of them "
            "held out.",
            where=where,
            do="Give all samples in the order of the data, or the held-out ones in that order.",
        )
    right = np.zeros((len(predicted), len(labels)), dtype=bool)
    right[:, held_out] = predicted == labels[held_out]
    return right


def answers_of(audited: Audited) -> Int[np.ndarray, " samples"]:
    """The model's class for every sample, in the order of the data."""
    return np.asarray(audited.logits()[: len(audited.experiment.dataset)].argmax(axis=1), dtype=np.int64)


def write_tried(path: Path, predicted: Sequence[Int[np.ndarray, " samples"]]) -> None:
    """The classes of all models that were tried, as `--tried` reads them. Raises StoreError."""
    content = io.BytesIO()
    np.savez_compressed(content, predicted=np.stack(predicted))
    write(path, content.getvalue())


def _predicted(answers: Shaped[np.ndarray, "..."], classes: int, where: str) -> Int[np.ndarray, "tried samples"]:
    shape: Sequence[int] = answers.shape
    if answers.ndim == 3 and answers.dtype.kind in "fiu" and shape[2] == classes:
        if not np.isfinite(answers).all():
            raise DataError("answers hold NaN or infinite values.", where=where)
        return np.asarray(answers.argmax(axis=2), dtype=np.int64)
    if answers.ndim == 2 and answers.dtype.kind in "iu" and shape[0]:
        return answers.astype(np.int64)
    raise DataError(
        f"answers are {answers.dtype} of shape {tuple(shape)}.",
        where=where,
        do=f"Give class numbers [models, samples], or outputs [models, samples, {classes}].",
    )
