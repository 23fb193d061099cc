"""Samples that were explained in two models, and which of them are shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from probes.drift.observables.attribution import Target
from probes.message import Message

CLASSES = 6
"""Number of classes shown: those that drifted most."""
COLOURS: dict[Target, Message] = {
    "label": Message("drift.colours-label"),
    "embedding": Message("drift.colours-embedding"),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Explained:
    """The maps of chosen samples in the audited model and in the one that it is compared with.

    chosen      the samples' numbers
    labels      their classes, as places in `classes`
    reference   the other model's map of each
    audited     the audited model's
    similarity  of the two maps
    whom        what the other model is called
    target      what the maps explain
    """

    chosen: Int[np.ndarray, " chosen"]
    labels: Int[np.ndarray, " chosen"]
    classes: Sequence[str]
    reference: Float[np.ndarray, "chosen ..."]
    audited: Float[np.ndarray, "chosen ..."]
    similarity: Float[np.ndarray, " chosen"]
    whom: str
    target: Target

    def shown(self) -> Iterator[tuple[int, Message]]:
        """For each class, the most drifted sample and the median one, the most drifted class first: their places among
        the chosen samples, and what stands over them."""
        mean = {int(label): float(self.similarity[self.labels == label].mean()) for label in np.unique(self.labels)}
        for label in sorted(mean, key=lambda one: mean[one])[:CLASSES]:
            mine = np.flatnonzero(self.labels == label)
            mine = mine[np.argsort(self.similarity[mine], kind="stable")]
            yield int(mine[0]), self._title(int(mine[0]), "most drifted")
            if len(mine) > 1:
                middle = int(mine[len(mine) // 2])
                yield middle, self._title(middle, "median")

    def _title(self, i: int, place: str) -> Message:
        return Message(
            "drift.gallery.row",
            {
                "class": self.classes[int(self.labels[i])],
                "place": place,
                "sample": int(self.chosen[i]),
                "similarity": float(self.similarity[i]),
            },
        )
