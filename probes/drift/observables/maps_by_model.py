"""Observations of several models: the maps of one kind of model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from jaxtyping import Float, Shaped

from probes.drift.observables.attribution import maps_of
from probes.observable import Observation

Seen = Mapping[str, Observation]
"""The results of one observable, by model."""


def among(seen: Seen, prefix: str, method: str) -> list[Shaped[np.ndarray, "samples ..."]]:
    """The maps of all models whose name has this prefix, by name."""
    found = (maps_of(one, method) for name, one in sorted(seen.items()) if name.startswith(prefix))
    return [maps for maps in found if maps is not None]


def mean_of(columns: Iterable[Float[np.ndarray, " samples"]]) -> Float[np.ndarray, " samples"]:
    return np.asarray(np.mean(list(columns), axis=0))
