"""Ranges of probe parameters, checked when a configuration is read."""

from __future__ import annotations

import math
from typing import Annotated

from annotated_types import Interval

MOST, MOST_ROUNDS = 1_000_000, 10_000
Count = Annotated[int, Interval(ge=1, le=MOST)]
Rounds = Annotated[int, Interval(ge=1, le=MOST_ROUNDS)]
"""Of replicas: the plan lists each of them."""
Many = Annotated[int, Interval(ge=2, le=MOST)]
"""A number of samples or folds whose spread is reported."""
CountOrNone = Annotated[int, Interval(ge=0, le=MOST)]
Level = Annotated[float, Interval(gt=0.5, lt=1)]
"""Two-sided coverage of an interval."""
Rate = Annotated[float, Interval(gt=0, lt=1)]
Tolerated = Annotated[float, Interval(ge=0, lt=1)]
"""A share that is tolerated."""
Positive = Annotated[float, Interval(gt=0, lt=math.inf)]
