"""`assert same(a, b)` says what differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Compared:
    """True where nothing differs; else a failing assertion shows what does."""

    differs: tuple[str, ...]

    def __bool__(self) -> bool:
        return not self.differs

    def __repr__(self) -> str:
        return f"<differs: {', '.join(self.differs)}>" if self.differs else "<the same>"


def same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> Compared:
    """Equal to the bit, under the same names."""
    differs = [f"only one has {name}" for name in sorted(set(one) ^ set(other))]
    for name in sorted(set(one) & set(other)):
        if one[name].shape != other[name].shape:
            differs.append(f"{name}: {tuple(one[name].shape)} and {tuple(other[name].shape)}")
        elif not one[name].equal(other[name]):
            differs.append(f"{name}: by up to {(one[name].double() - other[name].double()).abs().max():.3g}")
    return Compared(tuple(differs))
