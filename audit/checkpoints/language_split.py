"""Which rows of a language model's data are members, held out and for validation, and whose they are."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from audit.config.language_recipe import LanguageRecipe
from audit.data.group_column import groups_of
from audit.data.instructions import Exchange
from audit.data.record import Record
from audit.data.split_file import rows_of
from audit.data.tokenised import Tokenised
from probes.errors import DataError
from probes.message import Message
from probes.plan import Pool

TRAIN = ("train", "training", "members")
HELD_OUT = ("test", "held_out", "heldout", "eval", "evaluation")
VALIDATION = ("validation", "valid", "val", "dev")
FEWEST_OWNERS = 4
"""The smallest number of owners whose rows are kept together in replicas."""
FEWEST = 10
"""The smallest number of members, and of held-out samples, with which an audit is possible."""
Roles = tuple[Bool[np.ndarray, " rows"], Bool[np.ndarray, " rows"], Bool[np.ndarray, " rows"]]
"""(members, held out, validation)."""


def roles_of(
    exchanges: Sequence[Exchange],
    members: object,
    record: Record | None,
    given: LanguageRecipe,
    root: Path,
    where: Path,
) -> Roles | None:
    """(members, held out, validation) over all rows: from a file, or else from the parts of the data itself; None if
    they are to be read from the record."""
    total = len(exchanges)
    members = beside(root, given.split.members) if members is None else members
    if members is None and record is not None:
        return None
    if members is not None:
        member = rows_of(members, total)
        validation = np.zeros(total, dtype=bool)
        if (path := beside(root, given.split.validation)) is not None:
            validation = rows_of(path, total) & ~member
        return member, ~member & ~validation, validation
    parts = np.array([exchange.part.lower() for exchange in exchanges])
    member = np.isin(parts, TRAIN)
    held_out, validation = np.isin(parts, HELD_OUT), np.isin(parts, VALIDATION)
    if member.any() and (held_out.any() or validation.any()):
        return (member, held_out, validation) if held_out.any() else (member, validation, held_out)
    raise DataError(
        "it is not known which of its rows trained the model.",
        where=str(where),
        do="Give --members FILE (row numbers from 0, one per line), or data with a train and a test part.",
    )


def beside(root: Path, path: Path | None) -> Path | None:
    """The path seen from `root`."""
    return None if path is None else root / path


def pool_of(found: Tokenised, roles: tuple[Bool[np.ndarray, " rows"], ...], where: Path) -> Pool:
    member, held_out, validation = (role[found.rows] for role in roles)
    for name, mask in (("members", member), ("held-out rows", held_out)):
        if mask.sum() < FEWEST:
            raise DataError(
                f"{int(mask.sum())} {name} with an answer are too few for an audit.",
                where=str(where),
                do=f"Give at least {FEWEST}.",
            )
    return Pool(
        labels=np.zeros(len(found.rows), dtype=np.int64), member=member, held_out=held_out, validation=validation
    )


def with_owners(
    pool: Pool, exchanges: Sequence[Exchange], found: Tokenised, column: str | None, where: Path
) -> tuple[Pool, tuple[str, ...], tuple[Message, ...]]:
    """The pool with the owners of its rows as groups, their names, and what is to be said of these, if all rows have
    one and there are enough. Owners with rows on both sides count only where the column was named by the user: one that
    is found by its name may say anything. Raises DataError if a named column is empty in some row."""
    owners = [exchanges[row].owner for row in found.rows]
    if column is not None and not all(owners):
        row = int(found.rows[owners.index("")])
        raise DataError(f"has no owner in {column!r}.", where=f"{where}, row {row}", do="Give one, or omit groups.")
    groups, names, said = groups_of([owners])
    across = np.intersect1d(groups[pool.member], groups[pool.held_out]).size > 0
    if not all(owners) or len(names) < FEWEST_OWNERS or (across and column is None):
        return pool, (), ()
    return dataclasses.replace(pool, groups=groups), names, said
