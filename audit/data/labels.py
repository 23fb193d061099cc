"""Labels in the forms of published data sets, converted to class numbers from 0 and class names."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, Shaped

from probes.errors import DataError
from probes.message import Message, Value
from probes.spelling import plain

FEW = 20
"""Up to this many different labels are never taken for a regression target."""
MOST_NAMES = 10_000
"""Names of more classes than this are not compared with one another."""


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
    if names is not None:
        refuse_repeated(names, where)
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


MOST_CLASSES = 1_000_000
"""Labels of more classes are taken for a mistake: each would need an output of the model."""


def labels_of_outputs(given: Shaped[np.ndarray, "..."], names: Sequence[str] | None, where: str) -> Labels:
    """As `labels_of`, but integers from 0 keep their numbers, gaps included: they are columns of a model's output.

    >>> labels_of_outputs(np.array([0, 5]), None, "y").classes
    ('0', '1', '2', '3', '4', '5')
    >>> labels_of_outputs(np.array([2, 10, 1], dtype=object), None, "y").numbers.tolist()
    [2, 10, 1]
    """
    flat, notes = _one_each(_plain(given, where), where)
    if flat.dtype.kind == "f" and len(flat) and np.isfinite(flat).all() and (flat == np.round(flat)).all():
        flat = flat.astype(np.int64) if np.abs(flat).max() < MOST_CLASSES else flat
    known = None if names is None or not len(names) else tuple(map(str, names))
    if known is not None or flat.dtype.kind not in "iu" or not len(flat) or flat.min() < 0:
        found = labels_of(flat, known, where)
        return Labels(numbers=found.numbers, classes=found.classes, notes=(*notes, *found.notes))
    values, most = np.unique(flat), int(flat.max())
    _must_be_classes(len(values), len(flat), where)
    if most >= MOST_CLASSES:
        raise DataError(f"label {most} is not a class number.", where=where, do="Number the classes from 0.")
    return Labels(numbers=flat.astype(np.int64), classes=tuple(map(str, range(most + 1))), notes=notes)


def _plain(given: Shaped[np.ndarray, "..."], where: str) -> Shaped[np.ndarray, "..."]:
    """Labels stored as objects, as integers if they all are, else as text. Raises DataError if one is missing."""
    if given.dtype != object or given.ndim != 1:
        return given
    lacking = [one is None or str(one) in ("<NA>", "NaT") or one != one for one in given]
    if any(lacking):
        raise DataError(f"sample {lacking.index(True)} has no label.", where=where, do="Remove it.")
    if any(isinstance(one, list | tuple | dict | set | bytes | np.ndarray) for one in given):
        raise DataError("labels are not one value per sample.", where=where, do="Give one class per sample.")
    whole = all(isinstance(one, int | np.integer) and not isinstance(one, bool) for one in given)
    refuse_written_alike(given, where)
    return np.array([int(one) if whole else str(one) for one in given])


def refuse_written_alike(given: Iterable[Hashable], where: str) -> None:
    """Raises DataError if labels of two types would become one class: 1 and "1"."""
    first: dict[str, Hashable] = {}
    for one in given:
        if (other := first.setdefault(str(one), one)) != one:
            raise DataError(
                f"the labels {other!r} and {one!r} are written alike.", where=where, do="Give all labels one type."
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
        flat = flat.astype(np.float64)  # which holds every label, as float16 does not
        if not np.isfinite(flat).all():
            lacking = ~np.isfinite(flat)
            raise DataError(
                f"labels are NaN or infinite: {int(lacking.sum())}, the first of sample {int(lacking.argmax())}.",
                where=where,
                do="Remove these samples.",
            )
        odd = (flat != np.round(flat)) | (np.abs(flat) >= 2**53)
        if odd.any():
            row = int(odd.argmax())
            raise DataError(
                f"label {float(flat[row]):g} of sample {row} is not a class number.",
                where=where,
                do="Give integers or names; a regression target is not a class.",
            )
        flat = flat.astype(np.int64)
    if set(np.unique(flat)) == {-1, 1}:
        return flat
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
    if low < 0:  # -1 and 1, as margins take them
        whole, high = (whole > 0).astype(np.int64), 1
    if low == 1 and high == len(names):
        notes = (*notes, Message("audit.data-from-one", {"high": int(high)}))
        whole = whole - np.ones((), whole.dtype)
    elif high >= len(names):
        raise DataError(f"labels run from {low} to {high} but there are {len(names)} classes", where=where)
    return Labels(numbers=whole.astype(np.int64), classes=names, notes=notes)


def _words(
    flat: Shaped[np.ndarray, " samples"], names: Sequence[str] | None, notes: tuple[Message, ...], where: str
) -> Labels:
    try:
        words = np.char.decode(flat, "utf-8") if flat.dtype.kind == "S" else flat
    except UnicodeDecodeError:
        raise DataError("labels are bytes that are not UTF-8.", where=where, do="Give numbers or text.") from None
    if (blank := np.char.strip(words) == "").any():
        raise DataError(
            f"sample {int(blank.argmax())} has no label.", where=where, do="Remove the sample, or give it a class."
        )
    notes = (*notes, *_alike(np.unique(words)))
    if names is None:
        values, numbers = np.unique(words, return_inverse=True)
        _must_be_classes(len(values), len(words), where)
        classes = tuple(str(value) for value in values)
        return Labels(numbers=numbers.reshape(-1).astype(np.int64), classes=classes, notes=notes)
    place = {str(name): number for number, name in enumerate(names)}
    if unknown := sorted({str(word) for word in np.unique(words)} - set(place)):
        raise DataError(
            f"label {unknown[0]!r} is none of the class names ({', '.join(list(place)[:10])}).",
            where=where,
            do="Write labels and classes alike: data.names are the classes in the order of the model's outputs.",
        )
    numbers = np.array([place[str(word)] for word in words], dtype=np.int64)
    return Labels(numbers=numbers, classes=tuple(place), notes=notes)


def _alike(words: Shaped[np.ndarray, " classes"]) -> list[Message]:
    """A note on class names that differ only in how they are written: they are probably one class."""
    first: dict[str, str] = {}
    for word in map(str, words[:MOST_NAMES]):
        same = first.setdefault(plain(word), word)
        if same != word:
            return [Message("audit.data-alike-names", {"names": (repr(same), repr(word))})]
    return []


def refuse_repeated(names: Sequence[str], where: str) -> None:
    """Raises DataError if two classes have one name, or a class has none."""
    if len(set(names)) < len(names):
        twice = next(name for place, name in enumerate(names) if name in list(names)[:place])
        raise DataError(f"has two classes named {twice!r}.", where=where, do="Give each class a name of its own.")
    if not all(str(name).strip() for name in names):
        raise DataError("has a class without a name.", where=where, do="Give each class a name of its own.")


def _must_be_classes(values: int, samples: int, where: str) -> None:
    if values > FEW and 2 * values > samples:
        raise DataError(
            f"labels hold {values} different values for {samples} samples.",
            where=where,
            do="Classes have several samples each; a regression target, or a name for each sample, is not a class.",
        )
