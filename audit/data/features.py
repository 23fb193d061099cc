"""Numeric columns as float32, which models take: values that do not fit are refused, or shifted and reported."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Float64

from probes.errors import DataError
from probes.message import Message

LARGEST = float(np.finfo(np.float32).max)


def float32_of(
    columns: Float64[np.ndarray, "samples features"], names: Sequence[str], where: str
) -> tuple[Float32[np.ndarray, "samples features"], tuple[Message, ...]]:
    """The numbers, and what was shifted: account numbers near 1e9 are all the same in float32, so their minimum is
    subtracted. Raises DataError on NaN, infinities, and numbers beyond float32."""
    notes: list[Message] = []
    shifted = columns
    for i, name in enumerate(names):
        column = columns[:, i]
        _must_fit(column, name, where)
        if _lost(column) and not _lost(column - column.min()):
            shifted = columns.copy() if shifted is columns else shifted
            shifted[:, i] = column - column.min()
            notes.append(Message("audit.data-subtracted", {"column": name, "start": float(column.min())}))
    return shifted.astype(np.float32), tuple(notes)


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


def _lost(column: Float64[np.ndarray, " samples"]) -> bool:
    """Whether float32 distinguishes fewer than half of the different numbers of a column."""
    return 2 * len(np.unique(column.astype(np.float32))) <= len(np.unique(column)) > 1
