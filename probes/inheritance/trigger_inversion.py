"""Trigger inversion (Neural Cleanse, Wang et al. 2019) on the source model, and the triggers tried on the audited
one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int, Shaped

from probes.observable import Role, Subject, choose_stratified
from probes.plan import Pool

if TYPE_CHECKING:
    from torch import Tensor, nn

LEAST = 20


@dataclass(frozen=True, kw_only=True)
class TriggerInversion:
    """For each of the source's classes, at most `classes` of them, the smallest mask and pattern that take images to
    it, by `steps` steps of Adam on half of the chosen held-out images; then what the audited model says of the other
    half with each trigger.

    Gives `size` [classes] (the masks' sums, as shares of the image), `works` [classes] (share of images that the
    trigger takes to its class in the source), `plain` [images] and `triggered` [classes images] (what the audited model
    predicts), and `shown` (the images' positions among the chosen). Nothing for other data, or without a source.
    """

    samples: int = 200
    steps: int = 100
    classes: int = 10
    rate: float = 0.2
    weight: float = 1.0
    """Of the mask's mean in the loss, to begin with."""

    @property
    def models(self) -> Mapping[Role, int]:
        return {"audited": 1}

    def choose(self, pool: Pool, rng: np.random.Generator) -> Int[np.ndarray, " chosen"]:
        return choose_stratified(np.flatnonzero(pool.held_out), pool.labels, self.samples, rng)

    def __call__(
        self,
        subject: Subject,
        inputs: Float[Tensor, "chosen ..."],
        labels: Int[Tensor, " chosen"],
        rng: np.random.Generator,
    ) -> Mapping[str, Shaped[np.ndarray, "..."]]:
        import torch

        if subject.source is None or inputs.ndim != 4 or len(inputs) < 2 * LEAST or min(inputs.shape[2:]) < 4:
            return {}
        source = subject.source()
        order = rng.permutation(len(inputs))
        fitting, trying = (torch.from_numpy(part) for part in np.array_split(order, 2))
        with torch.no_grad():
            count = int(source.network(inputs[:2]).shape[1])
            plain = subject.network(inputs[trying]).argmax(dim=1)
        asked = np.sort(rng.permutation(count)[: self.classes])
        found = [self._inverted(source.network, inputs[fitting], int(target)) for target in asked]
        triggered = []
        with torch.no_grad():
            for mask, pattern, _ in found:
                triggered.append(subject.network((1 - mask) * inputs[trying] + mask * pattern).argmax(dim=1))
        return {
            "asked": asked.astype(np.int64),
            "size": np.array([float(mask.mean()) for mask, _, _ in found]),
            "works": np.array([works for _, _, works in found]),
            "plain": plain.cpu().numpy(),
            "triggered": torch.stack(triggered).cpu().numpy(),
            "shown": trying.numpy(),
        }

    def _inverted(
        self, network: nn.Module, images: Float[Tensor, "fitting channels height width"], target: int
    ) -> tuple[Tensor, Tensor, float]:
        """Mask [height width], pattern [channels height width], and the share of images that they take to `target`."""
        import torch
        from torch.nn import functional

        low, high = float(images.min()), float(images.max())
        with torch.enable_grad():
            raw = torch.full(images.shape[2:], -2.0, requires_grad=True)
            paint = torch.zeros(images.shape[1:], requires_grad=True)
            optimizer = torch.optim.Adam([raw, paint], lr=self.rate)
            goal = torch.full((len(images),), target)
            weight = self.weight
            for step in range(self.steps):
                mask, pattern = torch.sigmoid(raw), low + (high - low) * torch.sigmoid(paint)
                logits = network((1 - mask) * images + mask * pattern)
                loss = functional.cross_entropy(logits, goal) + weight * mask.mean()
                grads = torch.autograd.grad(loss, [raw, paint])
                for parameter, grad in zip((raw, paint), grads, strict=True):
                    parameter.grad = grad
                optimizer.step()
                if step % 10 == 9:
                    # As in the paper: more weight on the size while the trigger works, less while it does not.
                    works = float((logits.argmax(dim=1) == goal).float().mean())
                    weight *= 1.5 if works > 0.95 else 1 / 1.5
        with torch.no_grad():
            mask, pattern = torch.sigmoid(raw), low + (high - low) * torch.sigmoid(paint)
            others = images[network(images).argmax(dim=1) != target]
            if len(others) < LEAST:
                # What is predicted of nearly everything needs no trigger.
                return mask.detach(), pattern.detach(), 0.0
            answers = network((1 - mask) * others + mask * pattern).argmax(dim=1)
            return mask.detach(), pattern.detach(), float((answers == target).float().mean())
