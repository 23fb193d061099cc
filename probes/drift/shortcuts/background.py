"""The background: what surrounds the object gives the class away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from jaxtyping import Bool, Float, Shaped

from probes.drift.shortcuts.family import Candidate, Family, Names, Samples, most_separated
from probes.evidence import Modality
from probes.message import Message, Text
from probes.ranges import Rate

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Background(Family):
    """All positions that look like the image's own border: within `near` times its contrast of the border's median
    colour. The host's background is replaced by the donor's or, where the donor has foreground, by the donor's mean
    background."""

    near: Rate = 0.5

    name: ClassVar[str] = "background"
    modalities: ClassVar[tuple[Modality, ...]] = ("image",)

    def propose(self, seen: Samples, rng: np.random.Generator) -> Sequence[Candidate]:
        if min(seen.inputs.shape[2:]) < 6:
            return ()
        values = _colour(seen.inputs.cpu().numpy(), self.near)
        return tuple(Candidate(label) for label in most_separated(values, seen.labels))

    def transplant(
        self,
        candidate: Candidate,
        hosts: Shaped[Tensor, "hosts ..."],
        donors: Samples,
        rng: np.random.Generator,
    ) -> Shaped[Tensor, "hosts ..."]:
        import torch

        own, theirs = (
            torch.from_numpy(behind(images.cpu().numpy(), self.near))[:, None].to(hosts.device)
            for images in (hosts, donors.inputs)
        )
        count = theirs.sum(dim=(2, 3), keepdim=True).clamp(min=1)
        colour = (donors.inputs * theirs).sum(dim=(2, 3), keepdim=True) / count
        return torch.where(own, torch.where(theirs, donors.inputs, colour.expand_as(hosts)), hosts)

    def where(self, candidate: Candidate, names: Names) -> Text:
        return Message("drift.at-background")


def behind(
    images: Float[np.ndarray, "samples channels height width"], near: float
) -> Bool[np.ndarray, "samples height width"]:
    edge = np.concatenate([images[:, :, 0], images[:, :, -1], images[:, :, :, 0], images[:, :, :, -1]], axis=2)
    median = np.median(edge, axis=2)[:, :, None, None]
    contrast = images.std(axis=(1, 2, 3), keepdims=True)
    return np.asarray((np.abs(images - median) <= near * np.maximum(contrast, 1e-6)).all(axis=1))


def _colour(
    images: Float[np.ndarray, "samples channels height width"], near: float
) -> Float[np.ndarray, "samples statistics"]:
    """Mean and deviation of each channel over the background."""
    mask = behind(images, near)[:, None]
    count = np.maximum(mask.sum(axis=(2, 3)), 1)
    mean = (images * mask).sum(axis=(2, 3)) / count
    spread = np.sqrt((((images - mean[:, :, None, None]) * mask) ** 2).sum(axis=(2, 3)) / count)
    return np.asarray(np.concatenate([mean, spread], axis=1), dtype=np.float64)
