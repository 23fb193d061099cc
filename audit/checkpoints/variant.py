"""A variant of the audited model that is released beside it: quantised, pruned, merged or distilled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32
from torch import nn


@dataclass(frozen=True, kw_only=True, eq=False)
class Variant:
    """Its answers on all samples, and to the queries if it is a network; `build` makes that network anew if its
    internals can be compared with the audited model's."""

    name: str
    logits: Float32[np.ndarray, "views classes"]
    digest: str
    build: Callable[[], nn.Module] | None = None
    head: str = ""
