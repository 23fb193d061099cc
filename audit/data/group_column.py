"""Which samples belong together, by one column or by several."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Int64, Shaped

from probes.measures.connected import connected
from probes.message import Message
from probes.spelling import plain

NO_NAME = "(none)"
ABSENT = frozenset({"", "nan", "none", "null", "na", "n/a", "<na>", "nat"})
"""How a cell without a group is written, in lower case."""
Groups = tuple[Int64[np.ndarray, " samples"], tuple[str, ...], tuple[Message, ...]]
"""A number for each sample, the names of the numbers, and what is to be said of them."""


def named(given: str | Sequence[str] | None) -> tuple[str, ...]:
    """The names of the columns of groups."""
    return () if given is None else (given,) if isinstance(given, str) else tuple(given)


def groups_of(columns: Sequence[Iterable[object]]) -> Groups:
    """Samples that agree in any of these columns are in one group, directly or through others: a patient's samples, and
    those of a patient's household. Names agree if they differ only in how they are written (`probes/spelling.py`). A
    sample without a name in any column is a group of its own: that two names are missing does not say that they are the
    same.

    >>> numbers, names, _ = groups_of([["p2", "p1", None, "P2 ", None]])
    >>> numbers.tolist(), names
    ([0, 1, 2, 0, 3], ('P2 ', 'p1', '(none)', '(none)'))
    >>> groups_of([["p1", "p2", "p3"], ["h1", "h1", "h2"]])[0].tolist()
    [0, 0, 1]
    """
    written = [[_name(one) for one in column] for column in columns]
    count = len(written[0])
    samples, places, offset, alike = [], [], count, []
    for column in written:
        own = np.flatnonzero([name is not None for name in column])
        names, code = np.unique(np.array([column[i] for i in own], dtype=object), return_inverse=True)
        spelled, same = np.unique(np.array([plain(name) for name in names], dtype=object), return_inverse=True)
        samples.append(own)
        places.append(offset + same[code.reshape(-1)])
        offset += len(spelled)
        alike += _alike(names, same)
    one, other = np.concatenate(samples), np.concatenate(places)
    component = connected(np.stack([one, other], axis=1), offset)[:count]
    shown = [next((name for name in names if name is not None), None) for names in zip(*written, strict=True)]
    return _numbered(component, shown, alike)


def _alike(names: Shaped[np.ndarray, " names"], same: Int64[np.ndarray, " names"]) -> list[tuple[str, str]]:
    """Each name that is another one written differently, beside that one."""
    first: dict[int, str] = {}
    found = []
    for name, number in zip(names.tolist(), same.tolist(), strict=True):
        if number in first:
            found.append((first[number], name))
        first.setdefault(number, name)
    return found


def _name(given: object) -> str | None:
    text = str(given)
    return None if text.strip().lower() in ABSENT else text


def _numbered(
    component: Int64[np.ndarray, " samples"], shown: Sequence[str | None], alike: Sequence[tuple[str, str]]
) -> Groups:
    """In the order of the groups' names, those without one last."""
    first: dict[int, str | None] = {}
    for group, name in zip(component.tolist(), shown, strict=True):
        first[group] = min(filter(None, (first.get(group), name)), default=None)
    order = sorted(first, key=lambda group: (first[group] is None, first[group] or "", group))
    number = {group: place for place, group in enumerate(order)}
    numbers = np.array([number[group] for group in component.tolist()], dtype=np.int64)
    absent = sum(name is None for name in shown)
    notes = [Message("audit.data-no-group", {"count": absent})] if absent else []
    if alike:
        notes.append(Message("audit.data-groups-alike", {"count": len(alike), "names": tuple(map(repr, alike[0]))}))
    return numbers, tuple(first[group] or NO_NAME for group in order), tuple(notes)
