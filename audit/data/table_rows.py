"""Rows of a table that are no samples: empty ones, totals, and a header's second line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from audit.data.column_file import Frame
from audit.data.written_numbers import NOTHING
from probes.errors import DataError
from probes.message import Message

TOTALS = frozenset(
    {"total", "totals", "grand total", "sum", "average", "mean", "summe", "gesamt", "合计", "总计", "平均"}
)
EMPTY_ROWS = "empty rows"


def without_empty_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Without the rows at the end in which every cell is empty, as spreadsheets write them."""
    filled = (
        np.flatnonzero(frame.notna().to_numpy().any(axis=1)) if len(frame) and frame.iloc[-1].isna().all() else None
    )
    if filled is None or not len(filled):
        return frame
    kept = frame.iloc[: int(filled[-1]) + 1].infer_objects()
    kept.attrs[EMPTY_ROWS] = len(frame) - len(kept)
    return kept


def dropped_rows(frame: Frame) -> tuple[Message, ...]:
    """What a report says of rows that were left out."""
    count = frame.attrs.get(EMPTY_ROWS, 0)
    return (Message("audit.data-empty-rows", {"count": int(count)}),) if count else ()


def refuse_totals(frame: pd.DataFrame, path: Path) -> None:
    """Raises DataError if the last row holds the sums or means of the others."""
    if len(frame) < 3:
        return
    for name in frame.columns:
        column = frame[name]
        if column.dtype.kind in "iufbmM" or not isinstance(cell := column.iloc[-1], str):
            continue
        if cell.strip(" :").casefold() in TOTALS and not (column.iloc[:-1] == cell).any():
            raise DataError(f"its last row holds totals ({name}: {cell!r}).", where=str(path), do="Remove it.")


def refuse_second_header(frame: pd.DataFrame, path: Path) -> None:
    """Raises DataError if the first row continues the header: where all others hold numbers, it holds words."""
    if not len(frame) or any(frame[name].dtype.kind in "iufbmM" for name in frame.columns):
        return
    first = frame.iloc[0]
    words = [name for name in frame.columns if isinstance(first[name], str) and _is_word(first[name])]
    numeric = [name for name in words if len(frame) > 2 and _numbers(frame[name].iloc[1:])]
    if numeric and all(pd.isna(first[name]) or name in words for name in frame.columns):
        said = ", ".join(repr(str(first[name])[:20]) for name in numeric[:3])
        raise DataError(f"row 0 continues the header ({said}).", where=str(path), do="Keep one line of names.")


def _is_word(cell: str) -> bool:
    return cell.strip().lower() not in NOTHING and pd.isna(pd.to_numeric(cell, errors="coerce"))


def _numbers(rest: pd.Series) -> bool:
    return bool(pd.to_numeric(rest, errors="coerce").notna().all())
