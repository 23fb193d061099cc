"""Properties of the image file: brightness, contrast, sharpness, JPEG quality, padding: a corruption that gives the
host the class's property, compared with other corruptions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from jaxtyping import Bool, Float, Shaped

from probes.drift.shortcuts.family import Candidate, Family, Names, Samples
from probes.evidence import Modality
from probes.measures.corruptions import blur, jpeg, noise, pad, shade, stretch
from probes.message import Message, Text

if TYPE_CHECKING:
    from torch import Tensor

CORRUPTIONS: tuple[tuple[str, Callable[[Tensor, np.random.Generator], Tensor]], ...] = (
    ("brighter", lambda images, rng: shade(images, 0.3)),
    ("darker", lambda images, rng: shade(images, -0.3)),
    ("more contrast", lambda images, rng: stretch(images, 1.6)),
    ("less contrast", lambda images, rng: stretch(images, 0.5)),
    ("slightly blurred", lambda images, rng: blur(images, 0.6)),
    ("blurred", lambda images, rng: blur(images, 1.2)),
    ("sharper", lambda images, rng: images + (images - blur(images, 1.0))),
    ("noisy", lambda images, rng: noise(images, 0.15, rng)),
    ("JPEG, quality 50", lambda images, rng: jpeg(images, 50)),
    ("JPEG, quality 15", lambda images, rng: jpeg(images, 15)),
    ("smaller, padded", lambda images, rng: pad(images, 0.75)),
)
ALREADY = 0.5
"""Share of the class that must be beyond nearly all (BEYOND) other samples, in the direction of the corruption."""
BEYOND = 0.95


@dataclass(frozen=True, kw_only=True)
class Properties(Family):
    """Each corruption at one strength, for classes that already look like it; place: which corruption."""

    name: ClassVar[str] = "properties"
    modalities: ClassVar[tuple[Modality, ...]] = ("image",)

    def propose(self, seen: Samples, rng: np.random.Generator) -> Sequence[Candidate]:
        if min(seen.inputs.shape[2:]) < 6:
            return ()
        plain = _statistics(seen.inputs)
        scale = np.maximum(plain.std(axis=0), 1e-9)
        found: list[tuple[float, Candidate]] = []
        for which, (_, corrupt) in enumerate(CORRUPTIONS):
            changed = _statistics(corrupt(seen.inputs, rng))
            shift = np.median(changed - plain, axis=0) / scale
            main = int(np.argmax(np.abs(shift)))
            sign = float(np.sign(shift[main]))
            found += [
                (_already(sign * plain[:, main], sign * changed[:, main], seen.labels == label),
                 Candidate(int(label), (float(which),)))
                for label in np.unique(seen.labels)
            ]  # fmt: skip
        ranked = sorted(found, key=lambda one: -one[0])
        return tuple(candidate for already, candidate in ranked if already >= ALREADY)

    def transplant(
        self,
        candidate: Candidate,
        hosts: Shaped[Tensor, "hosts ..."],
        donors: Samples,
        rng: np.random.Generator,
    ) -> Shaped[Tensor, "hosts ..."]:
        which = int(candidate.place[0])
        if (donors.labels == candidate.label).all():
            return CORRUPTIONS[which][1](hosts, rng)
        others = [one for one in range(len(CORRUPTIONS)) if one != which]
        changed = hosts.clone()
        for i, other in enumerate(rng.choice(others, size=len(hosts))):
            changed[i : i + 1] = CORRUPTIONS[int(other)][1](hosts[i : i + 1], rng)
        return changed

    def where(self, candidate: Candidate, names: Names) -> Text:
        return Message("drift.at-property", {"property": CORRUPTIONS[int(candidate.place[0])][0]})


def _already(
    plain: Float[np.ndarray, " samples"], changed: Float[np.ndarray, " samples"], mine: Bool[np.ndarray, " samples"]
) -> float:
    """The share of the class beyond BEYOND of the others; 0 if the corruption takes others beyond the class itself,
    because images unlike any sample may be predicted as anything."""
    if not mine.any() or mine.all() or np.median(changed[~mine]) > np.quantile(plain[mine], BEYOND):
        return 0.0
    return float((plain[mine] > np.quantile(plain[~mine], BEYOND)).mean())


def _statistics(images: Shaped[Tensor, "samples channels height width"]) -> Float[np.ndarray, "samples statistics"]:
    """Brightness, contrast, sharpness (energy of the Laplacian and of the finest differences, relative to contrast),
    blockiness on a grid of 8, and the flatness of the edge."""
    wide = images.cpu().numpy().astype(np.float64).mean(axis=1)
    contrast = wide.std(axis=(1, 2)) + 1e-6
    laplacian = (
        4 * wide[:, 1:-1, 1:-1] - wide[:, :-2, 1:-1] - wide[:, 2:, 1:-1] - wide[:, 1:-1, :-2] - wide[:, 1:-1, 2:]
    )
    across = np.abs(np.diff(wide, axis=2))
    grid = across[:, :, 7::8].mean(axis=(1, 2)) if wide.shape[2] > 8 else np.zeros(len(wide))
    edge = np.concatenate([wide[:, 0], wide[:, -1], wide[:, :, 0], wide[:, :, -1]], axis=1)
    return np.stack(
        [
            wide.mean(axis=(1, 2)),
            np.log(contrast),
            np.log(laplacian.std(axis=(1, 2)) / contrast + 1e-6),
            np.log((across**2).mean(axis=(1, 2)) / contrast**2 + 1e-6),
            grid / (across.mean(axis=(1, 2)) + 1e-6),
            np.log(edge.std(axis=1) / contrast + 1e-3),
        ],
        axis=1,
    )
