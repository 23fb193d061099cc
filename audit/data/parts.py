"""The parts of data that is already divided, and their roles in an audit."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from audit.data.dataset import ROLES

PARTS: Mapping[str, str] = {
    "train": "member", "training": "member", "val": "validation", "valid": "validation", "validation": "validation",
    "dev": "validation", "test": "held_out", "testing": "held_out", "eval": "held_out", "held_out": "held_out",
}  # fmt: skip
"""Standard names of the parts of a data set, and their roles in an audit."""


def role_of(part: str) -> int:
    """The index of its role; −1 for a part without a role.

    >>> role_of("train"), role_of("TEST"), role_of("extra")
    (0, 1, -1)
    """
    role = PARTS.get(part.lower())
    return ROLES.index(role) if role is not None else -1


def are_parts(names: Collection[str]) -> bool:
    """Whether these are the parts of a data set, including one to train on, rather than its classes.

    >>> are_parts(["train", "test"]), are_parts(["train", "bus"]), are_parts(["test"])
    (True, False, False)
    """
    roles = [role_of(name) for name in names]
    return ROLES.index("member") in roles and min(roles) >= 0
