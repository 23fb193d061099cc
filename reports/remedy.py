"""A countermeasure with its measured effect."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One estimate of a candidate; `change` is better, worse, same, untested or empty, against the recipe as it is."""

    probe: str
    estimate: str
    value: float
    low: float | None
    high: float | None
    unit: str
    change: str


@dataclass(frozen=True, kw_only=True)
class Remedy:
    name: str
    verdict: str
    measures: tuple[Measured, ...]
