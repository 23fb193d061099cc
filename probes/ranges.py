"""Ranges of probe parameters, checked when a configuration is read."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Gt, Interval

Count = Annotated[int, Ge(1)]
Many = Annotated[int, Ge(2)]
"""A number of samples or folds whose spread is reported."""
CountOrNone = Annotated[int, Ge(0)]
Level = Annotated[float, Interval(gt=0.5, lt=1)]
"""Two-sided coverage of an interval."""
Rate = Annotated[float, Interval(gt=0, lt=1)]
Tolerated = Annotated[float, Interval(ge=0, lt=1)]
"""A share that is tolerated."""
Positive = Annotated[float, Gt(0)]
