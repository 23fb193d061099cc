"""The requirements of a gate: thresholds, waivers, and how it decides. Nothing heavy is imported to read them."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Literal

from probes.message import Text


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """A requirement on an estimate.

    probe, estimate  what is judged
    direction        max: at most `bound`. min: at least
    bound            in the estimate's unit; relative to a baseline, the margin by which the estimate may be worse
                     (non-inferiority)
    optional         judged only if the probe produced the estimate; an estimate of a threshold that the user wrote must
                     exist. Off by default
    against          threshold (the default) or baseline
    required         if set on a built-in threshold, a missing estimate is undecided: what was not measured has not
                     passed. Off by default
    unless           an estimate that other kinds of model have in place of this one: beside it, a missing estimate is
                     not asked for. None by default
    unit             of the bound, shown where there is no estimate that has it; empty (the default) if it is unknown
    why              the reason for the bound: a code with a text in reports, or the user's own words; empty by default

    >>> Threshold(probe="membership", estimate="checkpoint.auc", direction="max", bound=0.6).against
    'threshold'
    """

    probe: str
    estimate: str
    direction: Literal["max", "min"]
    bound: float
    optional: bool = False
    against: Literal["threshold", "baseline"] = "threshold"
    required: bool = False
    unless: str = ""
    unit: str = ""
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Waiver:
    """A check that may fail for a limited time.

    probe, estimate  the check
    reason           in the user's words
    expires          the last day on which it is valid (UTC)

    >>> day = datetime.date(2030, 1, 1)
    >>> Waiver(probe="drift", estimate="checkpoint.drift_index", reason="new labels", expires=day).reason
    'new labels'
    """

    probe: str
    estimate: str
    reason: str
    expires: datetime.date


@dataclass(frozen=True, kw_only=True)
class Gate:
    """The configuration by which a report is judged.

    thresholds    that are judged
    waivers       of checks that may fail; none by default
    on_undecided  stop (the default), warn or fail
    level         1 − the chance that a sound model fails, in (0, 1) (0.95)
    profile       name of the built-in thresholds (default)
    off           probes that the configuration switches off
    loosened      what is asked less than by default, a sentence each: it stands in the verdict

    >>> limit = Threshold(probe="membership", estimate="checkpoint.auc", direction="max", bound=0.6)
    >>> Gate(thresholds=(limit,)).level
    0.95
    """

    thresholds: tuple[Threshold, ...]
    waivers: tuple[Waiver, ...] = ()
    on_undecided: Literal["stop", "warn", "fail"] = "stop"
    level: float = 0.95
    profile: str = "default"
    off: tuple[str, ...] = ()
    loosened: tuple[Text, ...] = ()
