"""Which rows of a data set a training saw: keyed digests of samples, and the samples that they belong to.

Anyone who has the key and a sample can tell whether the sample was trained on: a list of digests is as sensitive as a
list of the members.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool

from audit.data.dataset import Dataset
from audit.data.tokens import SECOND


def fingerprint(content: bytes, key: bytes) -> str:
    """A keyed digest of 32 hexadecimal digits.

    >>> fingerprint(of_text("a"), b"key") == fingerprint(of_text("b"), b"key")
    False
    """
    return hmac.new(key, content, hashlib.sha256).hexdigest()[:32]


def of_text(*texts: str) -> bytes:
    """One text, or the two of a pair."""
    return "\x1f".join(texts).encode()


def of_tokens(ids: Iterable[object]) -> bytes:
    """Token ids without padding."""
    return np.asarray(list(ids), dtype=np.int64).tobytes()


def of_array(values: object) -> bytes:
    """An image or a row of a table. Integers are kept, everything else is rounded to float32; the shape is
    included."""
    array = np.asarray(values)
    kept = array.astype(np.int64) if array.dtype.kind in "iub" else array.astype(np.float32)
    return f"{kept.dtype.kind}{kept.shape}".encode() + np.ascontiguousarray(kept).tobytes()


def views(dataset: Dataset) -> Iterator[tuple[str, list[bytes]]]:
    """The contents of all samples in every view that the data has."""
    if dataset.texts:
        yield "text", [of_text(*one.split(JOINT)) for one in dataset.texts]
    if dataset.modality == "text":
        yield "tokens", [of_tokens((row[row > 0] - 1) % SECOND) for row in dataset.inputs]
    yield "array", [of_array(row) for row in dataset.inputs]


JOINT = " ⏎ "
"""Separates the two texts of a pair where they are shown."""


def found(
    dataset: Dataset, recorded: Mapping[Any, Mapping[Any, Sequence[str]]], key: bytes
) -> tuple[dict[str, Bool[np.ndarray, " samples"]], dict[str, int]]:
    """For each part of a record (trained, evaluated), its samples, and the number of its digests without a sample.

    A sample that occurs more than once is taken as often as it was recorded, in the order of the data. The view that
    leaves the fewest digests unmatched is used.
    """
    best: tuple[int, dict[str, Any], dict[str, int]] | None = None
    for view, contents in views(dataset):
        if not all(view in parts for parts in recorded.values()):
            continue
        places: dict[str, list[int]] = defaultdict(list)
        for index, content in reversed(list(enumerate(contents))):
            places[fingerprint(content, key)].append(index)
        masks, left = {}, {}
        for part, digests in recorded.items():
            mask, missed = np.zeros(len(dataset), dtype=bool), 0
            for digest in digests[view]:
                if places.get(digest):
                    mask[places[digest].pop()] = True
                else:
                    missed += 1
            masks[part], left[part] = mask, missed
        total = sum(left.values())
        if best is None or total < best[0]:
            best = total, masks, left
    if best is None:
        return {}, {part: max(map(len, one.values()), default=0) for part, one in recorded.items()}
    return best[1], best[2]
