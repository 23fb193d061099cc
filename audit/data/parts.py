"""Parts that data is divided into already, and what they are in an audit."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from audit.data.dataset import ROLES

PARTS: Mapping[str, str] = {
    "train": "member", "training": "member", "val": "validation", "valid": "validation", "validation": "validation",
    "dev": "validation", "test": "held_out", "testing": "held_out", "eval": "held_out", "held_out": "held_out",
}  # fmt: skip
"""Usual names of the parts of a data set, and what they are in an audit."""


def role_of(part: str) -> int:
    """The number of its role; −1 for a part that is in none.

    >>> role_of("train"), role_of("TEST"), role_of("extra")
    (0, 1, -1)
    """
    role = PARTS.get(part.lower())
    return ROLES.index(role) if role is not None else -1


def are_parts(names: Collection[str]) -> bool:
    """Whether these are the parts of a data set, one to train on among them, and not its classes.

    >>> are_parts(["train", "test"]), are_parts(["train", "bus"]), are_parts(["test"])
    (True, False, False)
    """
    roles = [role_of(name) for name in names]
    return ROLES.index("member") in roles and min(roles) >= 0
