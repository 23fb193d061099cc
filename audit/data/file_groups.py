"""Groups of images by their file names."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64

from audit.data.group_column import groups_of
from probes.errors import DataError
from probes.message import Message

NUMBERED = re.compile(r"(?P<group>.*\d.*?)[_\-. ]+[A-Za-z]{0,8}[_\-. ]?\d+")
"""A name with a number that ends in a further number: p012_03, scan-7_slice-12. What is before the last one may be an
owner's."""
FEWEST, LARGEST = 5, 0.1
"""The fewest groups of a class on average, and the largest share of all images in one, for names that look grouped."""
SEVERAL = 0.5
"""The share of images that share their group with another from which names look grouped."""

Groups = tuple[Int64[np.ndarray, " images"] | None, tuple[str, ...], tuple[Message, ...]]


def groups_in(names: Sequence[str], labels: Int64[np.ndarray, " images"], pattern: str | None) -> Groups:
    """The numbers of the images' groups and what they are called, by a regular expression; without one, no groups, and
    a note if the names look as if they had some. Raises DataError if the expression is not valid or matches no name.

    >>> groups_in(["p1_1", "p1_2", "p2_1", "x"], np.zeros(4, dtype=np.int64), r"p\\d+")[0].tolist()
    [0, 0, 1, 2]
    """
    if pattern is None:
        shared = grouped(names, labels)
        return None, (), () if shared is None else (Message("audit.data-names-grouped", {"first": shared}),)
    try:
        found = [re.search(pattern, name) for name in names]
    except re.error as error:
        raise DataError(f"data.groups is not a regular expression: {error}.", where=repr(pattern)) from None
    if not any(found):
        raise DataError(f"data.groups matches no file name, such as {names[0]!r}.", where=repr(pattern))
    return groups_of([[None if one is None else one[1 if one.re.groups else 0] for one in found]])


def grouped(names: Sequence[str], labels: Int64[np.ndarray, " images"]) -> str | None:
    """A name whose beginning is shared, if most names begin like a few others: of a patient, a film or a place, not of
    a class. None otherwise."""
    matches = [NUMBERED.fullmatch(name) for name in names]
    # The same name in the folders of several classes is numbering within a class.
    starts = np.array([f"/{i}" if one is None else one["group"] for i, one in enumerate(matches)])
    values, place, size = np.unique(starts, return_inverse=True, return_counts=True)
    several = size[place.reshape(-1)] > 1
    classes = len(np.unique(labels))
    if several.mean() < SEVERAL or len(values) < FEWEST * classes or size.max() > max(2, LARGEST * len(names)):
        return None
    return str(names[int(several.argmax())])
