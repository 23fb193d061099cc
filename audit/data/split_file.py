"""A file that says which rows of the data trained a model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Bool

from audit.data.arrays import read_array
from audit.storage.bounded import MIB, read_text, regular
from probes.errors import DataError
from probes.json_text import parsed

MOST = 256 * MIB
WORDS = {"true": True, "false": False, "1": True, "0": False}


def rows_of(given: object, total: int) -> Bool[np.ndarray, " rows"]:
    """A mask over `total` rows, from a file of them (`read_rows`), from row numbers, or from a mask. Raises DataError.

    >>> rows_of([0, 2], 3).tolist()
    [True, False, True]
    """
    if isinstance(given, str | Path):
        return read_rows(Path(given), total)
    try:
        rows = np.asarray(sorted(given) if isinstance(given, set | frozenset) else given)
    except (ValueError, TypeError):
        raise DataError("is not one list of row numbers.", where="members", do="Write [0, 2, 5, …].") from None
    return _mask(rows, total, Path("members"))


def read_rows(path: Path, total: int) -> Bool[np.ndarray, " rows"]:
    """A mask over `total` rows. The file holds row numbers from 0, or true or false (1 or 0) for every row: one per
    line (.txt, .csv without a header), a list (.json), or an array (.npy).

    Raises DataError on anything else, and on a row that does not exist or is named twice.
    """
    regular(path, DataError)
    if path.suffix == ".npy":
        given = read_array(path)
    elif path.suffix == ".json":
        given = _list(path)
    else:
        lines = [line.strip() for line in read_text(path, MOST, DataError).splitlines() if line.strip()]
        given = np.array([_word(line, f"{path}, line {number}") for number, line in enumerate(lines, start=1)])
    return _mask(given, total, path)


def _word(text: str, where: str) -> int | bool:
    if text.lower() in ("true", "false"):
        return WORDS[text.lower()]
    try:
        return int(text)
    except ValueError:
        raise DataError(
            f"{text[:40]!r} is not a row number.", where=where, do="Write one row number per line."
        ) from None


def _list(path: Path) -> np.ndarray:
    try:
        given = parsed(read_text(path, MOST, DataError))
    except ValueError as error:
        raise DataError(f"is not JSON: {error}", where=str(path)) from None
    if not isinstance(given, list) or {type(one) for one in given} not in ({int}, {bool}, set()):
        raise DataError("is not a list of row numbers.", where=str(path), do="Write [0, 2, 5, …].")
    return np.array(given)


def _mask(given: np.ndarray, total: int, path: Path) -> Bool[np.ndarray, " rows"]:
    if given.dtype == bool:
        if given.shape != (total,):
            raise DataError(f"has {given.size} values of true or false for {total} rows.", where=str(path))
        return given
    if not given.size:
        raise DataError("names no row.", where=str(path), do="Write the row numbers of the members.")
    if given.ndim != 1 or given.dtype.kind not in "iu":
        raise DataError(f"holds {given.dtype} of shape {given.shape}.", where=str(path), do="Write row numbers.")
    if len(given) == total > 2 and np.isin(given, (0, 1)).all():
        return np.asarray(given == 1)
    if not 0 <= given.min() <= given.max() < total:
        wrong = given[(given < 0) | (given >= total)][0]
        raise DataError(f"names row {int(wrong)}; there are {total}, from 0.", where=str(path))
    rows, often = np.unique(given, return_counts=True)
    if often.max() > 1:
        raise DataError(f"names row {int(rows[often.argmax()])} {int(often.max())} times.", where=str(path))
    mask = np.zeros(total, dtype=bool)
    mask[given] = True
    return mask
