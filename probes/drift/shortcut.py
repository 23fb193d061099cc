"""Shortcuts: attribution locked to one place in all samples of a class, and a patch that takes predictions with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int, Shaped

from probes.drift.attribution import attribute, label_scorer
from probes.observable import Role, Subject, choose_stratified
from probes.plan import Pool

if TYPE_CHECKING:
    from torch import Tensor

CANDIDATES = 2


@dataclass(frozen=True, kw_only=True)
class Shortcut:
    """Find, in one half of the chosen training samples, the boxes where a class's attribution sits beyond that of the
    other classes; choose the box whose transplant moves most predictions; confirm it on the other half.

    Gives `box` (class, top, left, height, width), `follow` (followed, trials) on the confirming half, `control` (the
    same box taken from samples of other classes than the suspected one).
    """

    samples: int = 120
    steps: int = 8
    box_share: float = 0.2

    @property
    def models(self) -> Mapping[Role, int]:
        return {"audited": 1}

    def choose(self, pool: Pool, rng: np.random.Generator) -> Int[np.ndarray, " chosen"]:
        return choose_stratified(np.flatnonzero(pool.member), pool.labels, self.samples, rng)

    def __call__(
        self,
        subject: Subject,
        inputs: Float[Tensor, "chosen ..."],
        labels: Int[Tensor, " chosen"],
        rng: np.random.Generator,
    ) -> Mapping[str, Shaped[np.ndarray, "..."]]:
        if inputs.ndim != 4 or not inputs.is_floating_point():
            return {}
        maps = attribute(
            "integrated-gradients", lambda chosen: label_scorer(subject.network, labels[chosen]), inputs, self.steps
        )
        y = labels.cpu().numpy()
        side = max(2, round(self.box_share * inputs.shape[-1]))
        searching, confirming = _halves(y, rng)
        boxes = candidate_boxes(maps.cpu().numpy()[searching], y[searching], side)
        rates = [
            np.divide(*transplant(subject, inputs[searching], y[searching], box, side, box[0], rng)) for box in boxes
        ]
        if not rates:
            return {}
        box = boxes[int(np.argmax(rates))]
        followed, trials = transplant(subject, inputs[confirming], y[confirming], box, side, box[0], rng)
        control = transplant(subject, inputs[confirming], y[confirming], box, side, None, rng)
        return {
            "box": np.array([box[0], box[1], box[2], side, side], dtype=np.int64),
            "follow": np.array([followed, trials], dtype=np.int64),
            "control": np.array(control, dtype=np.int64),
            "size": np.array(inputs.shape[-2:], dtype=np.int64),
        }


Box = tuple[int, int, int]
"""(class, top, left)."""


def _halves(labels: Int[np.ndarray, " chosen"], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    turn = np.empty(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        mine = rng.permutation(np.flatnonzero(labels == label))
        turn[mine] = np.arange(len(mine))
    return np.flatnonzero(turn % 2 == 0), np.flatnonzero(turn % 2 == 1)


def candidate_boxes(
    maps: Float[np.ndarray, "chosen height width"], labels: Int[np.ndarray, " chosen"], side: int
) -> list[Box]:
    """For each class the boxes with most positive attribution mass beyond the other classes' mean, not overlapping."""
    positive = np.maximum(maps, 0).astype(np.float64)
    positive /= np.maximum(positive.sum(axis=(1, 2), keepdims=True), 1e-12)
    found: list[Box] = []
    for label in np.unique(labels):
        mine = labels == label
        if mine.all():
            continue
        excess = _box_sums(positive[mine].mean(axis=0) - positive[~mine].mean(axis=0), side)
        for _ in range(CANDIDATES):
            top, left = np.unravel_index(int(np.argmax(excess)), excess.shape)
            found.append((int(label), int(top), int(left)))
            excess[max(0, top - side + 1) : top + side, max(0, left - side + 1) : left + side] = -np.inf
            if not np.isfinite(excess).any():
                break
    return found


def _box_sums(image: Float[np.ndarray, "height width"], side: int) -> Float[np.ndarray, "tops lefts"]:
    """Sums over all side × side boxes, by an integral image."""
    total = np.pad(image, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    return np.asarray(total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side])


def transplant(
    subject: Subject,
    inputs: Float[Tensor, "chosen ..."],
    labels: Int[np.ndarray, " chosen"],
    box: Box,
    side: int,
    donor_class: int | None,
    rng: np.random.Generator,
) -> tuple[int, int]:
    """Copy the box from donors onto samples of other classes that are not predicted as the suspected class yet: how
    many predictions become that class, of how many. Without a donor class, donors are samples of any other class."""
    import torch

    suspected, top, left = box
    donors = np.flatnonzero(labels == suspected if donor_class is not None else labels != suspected)
    with torch.no_grad():
        before = subject.network(inputs).argmax(dim=1).cpu().numpy()
    hosts = np.flatnonzero((labels != suspected) & (before != suspected))
    if not len(hosts) or not len(donors):
        return 0, 1
    chosen = rng.choice(donors, size=len(hosts))
    patched = inputs[torch.from_numpy(hosts)].clone()
    rows, columns = slice(top, top + side), slice(left, left + side)
    patched[:, :, rows, columns] = inputs[torch.from_numpy(chosen)][:, :, rows, columns]
    with torch.no_grad():
        after = subject.network(patched).argmax(dim=1).cpu().numpy()
    return int((after == suspected).sum()), len(hosts)
