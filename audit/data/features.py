"""Numeric columns as float32, which models take: values that do not fit are refused, or shifted and reported."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Float64, Shaped

from probes.errors import DataError
from probes.large_arrays import empty
from probes.message import Message

ABREAST = 16
"""Columns converted together: as many float32 numbers as a cache line holds, so that rows are read once."""
LARGEST = float(np.finfo(np.float32).max)
WHOLE = 2**24
"""Whole numbers up to it are exact in float32."""
EXACT = 2**53
"""Whole numbers up to it are exact in float64."""


def float32_of(
    columns: Shaped[np.ndarray, "samples features"] | Sequence[Shaped[np.ndarray, " samples"]],
    names: Sequence[str],
    where: str,
) -> tuple[Float32[np.ndarray, "samples features"], tuple[Message, ...]]:
    """The numbers of an array, or of columns, and what was shifted: account numbers near 1e9 are all the same in
    float32, so their minimum is subtracted. Raises DataError on NaN, infinities, and numbers beyond float32."""
    notes: list[Message] = []
    samples = len(columns) if isinstance(columns, np.ndarray) else len(columns[0])
    found: Float32[np.ndarray, "samples features"] = empty((samples, len(names)), np.float32)
    for start in range(0, len(names), ABREAST):
        abreast = slice(start, start + ABREAST)
        some = np.ascontiguousarray(columns[:, abreast].T) if isinstance(columns, np.ndarray) else columns[abreast]
        read = [exact(one, name) for one, name in zip(some, names[start:], strict=False)]
        notes += [said for _, said in read if said is not None]
        block = np.stack([column for column, _ in read])
        for column, name in zip(block, names[start:], strict=False):
            _must_fit(column, name, where)
            if (said := _narrowed(column, name)) is not None:
                notes.append(said)
        found[:, start : start + ABREAST] = block.T
    return found, tuple(notes)


def exact(column: Shaped[np.ndarray, " samples"], name: str) -> tuple[Float64[np.ndarray, " samples"], Message | None]:
    """The numbers of a column, minus the smallest where 64-bit floats cannot tell them apart, and the note on it."""
    if column.dtype.kind in "iu" and len(column) and max(int(column.max()), -int(column.min())) > EXACT:
        low = column.min()
        if int(column.max()) - int(low) <= EXACT:
            return (column - low).astype(np.float64), Message(
                "audit.data-subtracted", {"column": name, "start": float(low)}
            )
    return np.ascontiguousarray(column, dtype=np.float64), None


def _must_fit(column: Float64[np.ndarray, " samples"], name: str, where: str) -> None:
    if not np.isfinite(column).all():
        row = int(np.argmax(~np.isfinite(column)))
        raise DataError(
            f"row {row} of {name} is NaN or infinite: sample {row} holds NaN or infinite values",
            where=where,
            do="Clean or impute it.",
        )
    if len(column) and np.abs(column).max() > LARGEST:
        row = int(np.abs(column).argmax())
        raise DataError(
            f"row {row} of {name} is {column[row]:g}, beyond the range of 32-bit floats.",
            where=where,
            do="Scale the column, or take its logarithm.",
        )


def _narrowed(column: Float64[np.ndarray, " samples"], name: str) -> Message | None:
    """Subtracts the smallest number where float32 would otherwise merge different ones, and says so, or that they
    merge."""
    narrow = column.astype(np.float32)
    if np.array_equal(narrow, column):
        return None
    low, whole = float(column.min()), bool((column == np.rint(column)).all())
    if (whole and float(column.max()) - low <= WHOLE) or (_lost(column) and not _lost(column - low)):
        column -= low
        return Message("audit.data-subtracted", {"column": name, "start": low})
    if not _lost(column):
        return None
    kept, values = len(np.unique(narrow)), len(np.unique(column))
    return Message("audit.data-merged", {"column": name, "kept": kept, "values": values})


def _lost(column: Float64[np.ndarray, " samples"]) -> bool:
    """Whether float32 distinguishes fewer than half of the different numbers of a column."""
    narrow = column.astype(np.float32)
    return not np.array_equal(narrow, column) and 2 * len(np.unique(narrow)) <= len(np.unique(column)) > 1
