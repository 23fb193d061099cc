"""What a gate asks for: thresholds, waivers, and how it decides. Nothing heavy is imported to read them."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Literal

from probes.message import Text


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """`estimate` of `probe` must be at most (max) or at least (min) `bound`.

    A built-in one is `optional`: it is judged where the probe produced that estimate. One the user wrote must exist.
    Against the baseline, `bound` is the margin by which the estimate may be worse than that (non-inferiority).
    """

    probe: str
    estimate: str
    direction: Literal["max", "min"]
    bound: float
    optional: bool = False
    against: Literal["threshold", "baseline"] = "threshold"
    required: bool = False
    """A built-in one whose estimate is missing is undecided: what was not searched has not passed."""
    why: str = ""
    """Why the bound is what it is: a code that reports have words for, or the user's own words."""


@dataclass(frozen=True, kw_only=True)
class Waiver:
    """This check may fail until the day `expires` (UTC) is over, for this reason."""

    probe: str
    estimate: str
    reason: str
    expires: datetime.date


@dataclass(frozen=True, kw_only=True)
class Gate:
    thresholds: tuple[Threshold, ...]
    waivers: tuple[Waiver, ...] = ()
    on_undecided: Literal["stop", "warn", "fail"] = "stop"
    level: float = 0.95
    profile: str = "default"
    off: tuple[str, ...] = ()
    """Probes that the configuration switches off."""
    loosened: tuple[Text, ...] = ()
    """What is asked less than by default, a sentence each: it stands in the verdict."""
