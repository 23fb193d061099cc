"""Labels in the forms of published data sets, converted to class numbers from 0 and class names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, Shaped

from probes.errors import DataError
from probes.message import Message, Value

FEW = 20
"""Up to this many different labels are never taken for a regression target."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Labels:
    """`notes` say what was converted."""

    numbers: Int64[np.ndarray, " samples"]
    classes: tuple[str, ...]
    notes: tuple[Message, ...] = ()


def labels_of(given: Shaped[np.ndarray, "..."], names: Sequence[str] | None, where: str) -> Labels:
    """Labels as [n], [n, 1] or one-hot [n, classes]; integers (also as floats, from 0 or from 1, with gaps), Booleans
    or strings. `names` are the classes in the order of their numbers, if known.

    Raises DataError if a label is missing, negative or fractional, or has no name, or if the labels are not classes.
    """
    flat, notes = _one_each(given, where)
    if flat.dtype.kind in "SU":
        return _words(flat, names, notes, where)
    if flat.dtype.kind == "b":
        return Labels(numbers=flat.astype(np.int64), classes=tuple(names or ("False", "True")), notes=notes)
    whole = _whole(flat, where)
    if names is not None:
        return _named(whole, tuple(names), notes, where)
    values, numbers = np.unique(whole, return_inverse=True)
    _must_be_classes(len(values), len(whole), where)
    if int(values[-1]) != len(values) - 1:
        found: dict[str, Value] = {"low": int(values[0]), "high": int(values[-1]), "count": len(values)}
        notes = (*notes, Message("audit.data-numbered", found))
    return Labels(
        numbers=numbers.reshape(-1).astype(np.int64), classes=tuple(str(int(value)) for value in values), notes=notes
    )


def _one_each(
    given: Shaped[np.ndarray, "..."], where: str
) -> tuple[Shaped[np.ndarray, " samples"], tuple[Message, ...]]:
    if given.ndim == 1:
        return given, ()
    if given.ndim == 2 and given.shape[1] == 1:
        return given[:, 0], (Message("audit.data-one-a-sample", {"shape": _by(given.shape)}),)
    one_hot = given.ndim == 2 and given.shape[1] > 1 and given.dtype.kind in "biuf" and len(given)
    if one_hot and np.isin(given, (0, 1)).all() and (given.sum(axis=1) == 1).all():
        return given.argmax(axis=1), (Message("audit.data-one-hot", {"shape": _by(given.shape)}),)
    raise DataError(
        f"labels have shape {_by(given.shape)} and are not one-hot.", where=where, do="Give one class per sample."
    )


def _by(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape)) or "()"


def _whole(flat: Shaped[np.ndarray, " samples"], where: str) -> Shaped[np.ndarray, " samples"]:
    if not len(flat):
        raise DataError("no samples", where=where)
    if flat.dtype.kind not in "iuf":
        raise DataError(f"labels are {flat.dtype}.", where=where, do="Give class numbers or class names.")
    if flat.dtype.kind == "f":
        if not np.isfinite(flat).all():
            lacking = ~np.isfinite(flat)
            raise DataError(
                f"labels are NaN or infinite: {int(lacking.sum())}, the first of sample {int(lacking.argmax())}.",
                where=where,
                do="Remove these samples.",
            )
        if (flat != np.round(flat)).any() or np.abs(flat).max() >= 2**53:
            row = int((flat != np.round(flat)).argmax())
            raise DataError(
                f"label {float(flat[row]):g} of sample {row} is not a class number.",
                where=where,
                do="Give integers or names; a regression target is not a class.",
            )
        flat = flat.astype(np.int64)
    if (flat < 0).any():
        raise DataError(
            f"labels are negative: {int((flat < 0).sum())}, the first of sample {int((flat < 0).argmax())}.",
            where=where,
            do="Remove samples without a label.",
        )
    return flat


def _named(
    whole: Shaped[np.ndarray, " samples"], names: tuple[str, ...], notes: tuple[Message, ...], where: str
) -> Labels:
    low, high = int(whole.min()), int(whole.max())
    if low == 1 and high == len(names):
        notes = (*notes, Message("audit.data-from-one", {"high": int(high)}))
        whole = whole - np.ones((), whole.dtype)
    elif high >= len(names):
        raise DataError(f"labels run from {low} to {high} but there are {len(names)} classes", where=where)
    return Labels(numbers=whole.astype(np.int64), classes=names, notes=notes)


def _words(
    flat: Shaped[np.ndarray, " samples"], names: Sequence[str] | None, notes: tuple[Message, ...], where: str
) -> Labels:
    words = np.char.decode(flat, "utf-8", "replace") if flat.dtype.kind == "S" else flat
    if names is None:
        values, numbers = np.unique(words, return_inverse=True)
        _must_be_classes(len(values), len(words), where)
        classes = tuple(str(value) for value in values)
        return Labels(numbers=numbers.reshape(-1).astype(np.int64), classes=classes, notes=notes)
    place = {str(name): number for number, name in enumerate(names)}
    if unknown := sorted({str(word) for word in np.unique(words)} - set(place)):
        raise DataError(f"label {unknown[0]!r} is none of the class names.", where=where)
    numbers = np.array([place[str(word)] for word in words], dtype=np.int64)
    return Labels(numbers=numbers, classes=tuple(place), notes=notes)


def _must_be_classes(values: int, samples: int, where: str) -> None:
    if values > FEW and 2 * values > samples:
        raise DataError(
            f"labels hold {values} different values for {samples} samples.",
            where=where,
            do="Classes have several samples each; a regression target, or a name for each sample, is not a class.",
        )
