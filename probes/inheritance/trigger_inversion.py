"""Trigger inversion (Neural Cleanse, Wang et al. 2019) on the source model, and the triggers tried on the audited
one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int, Shaped

from probes.observable import OnHeldOut, Subject

if TYPE_CHECKING:
    from torch import Tensor, nn

LEAST = 20
ADJUSTED = 5
"""Steps between two changes of the weight: at 10 the masks of a poisoned class and of the others lie closer."""
FACTOR = 1.3
"""Of such a change. By 1.5, as in the paper, small batches drive the weight up and down."""
AVERAGED = 40
"""Steps at the end whose masks and patterns are averaged (Polyak & Juditsky 1992), which evens out small batches."""
WORKS = 0.95
PIXELS = 2**20
"""At most so many of one channel go through the network at a time, which bounds memory."""


@dataclass(frozen=True, kw_only=True)
class TriggerInversion(OnHeldOut):
    """For each of the source's classes, at most `classes` of them, the smallest mask and pattern that move images to
    it, by `steps` steps of Adam on half of the chosen held-out images; then the audited model's predictions on the
    other half with each trigger.

    Gives `size` [classes] (the masks' sums, as shares of the image), `works` [classes] (share of images that the
    trigger moves to its class in the source), `plain` [images] and `triggered` [classes images] (what the audited model
    predicts), and `shown` (the images' positions among the chosen). Empty for other data, or without a source.
    """

    samples: int = 200
    steps: int = 150
    batch: int = 4
    """Images a step, drawn anew for each."""
    classes: int = 10
    rate: float = 0.2
    """Of the first step; it falls to a tenth, which lets small batches settle."""
    weight: float = 1.0
    """Initial weight of the mask's mean in the loss."""

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
        side, network = subject.source(), subject.fast.network
        source = side.fast or side.network
        order = rng.permutation(len(inputs))
        fitting, trying = (torch.from_numpy(part) for part in np.array_split(order, 2))
        with torch.no_grad():
            count = int(source(inputs[:2]).shape[1])
            plain = network(inputs[trying]).argmax(dim=1)
        asked = np.sort(rng.permutation(count)[: self.classes]).astype(np.int64)
        together = max(1, PIXELS // (self.batch * inputs[0, 0].numel()))
        parts = np.array_split(asked, -(-len(asked) // together))
        found = [self._inverted(source, inputs[fitting], part, rng) for part in parts]
        mask, pattern = (torch.cat(part) for part in zip(*found, strict=True))
        with torch.no_grad():
            own = source(inputs[fitting]).argmax(dim=1)
            works, triggered = [], []
            for target, one in enumerate(asked):
                trigger = mask[target : target + 1], pattern[target : target + 1]
                triggered.append(network(_stamped(inputs[trying], *trigger)).argmax(dim=1))
                others = inputs[fitting][own != one]
                # A class that is predicted for nearly everything needs no trigger.
                answers = source(_stamped(others, *trigger)) if len(others) >= LEAST else None
                works.append(0.0 if answers is None else float((answers.argmax(dim=1) == one).float().mean()))
        return {
            "asked": asked,
            "size": mask.double().mean(dim=(1, 2, 3)).numpy(),
            "works": np.array(works),
            "plain": plain.cpu().numpy(),
            "triggered": torch.stack(triggered).cpu().numpy(),
            "shown": trying.numpy(),
        }

    def _inverted(
        self,
        network: nn.Module,
        images: Float[Tensor, "fitting channels height width"],
        targets: Int[np.ndarray, " targets"],
        rng: np.random.Generator,
    ) -> tuple[Float[Tensor, "targets 1 height width"], Float[Tensor, "targets channels height width"]]:
        """Mask and pattern for each target; the targets share each step's images, and nothing else."""
        import torch
        from torch.nn import functional

        count, device = len(targets), images.device
        low, high = float(images.min()), float(images.max())
        batch = min(self.batch, len(images))
        raw = torch.full((count, 1, *images.shape[2:]), -2.0, device=device, requires_grad=True)
        paint = torch.zeros((count, *images.shape[1:]), device=device, requires_grad=True)
        optimizer = torch.optim.Adam([raw, paint], lr=self.rate)
        goal = torch.from_numpy(targets).to(device).repeat_interleave(batch)
        weight = torch.full((count,), self.weight, device=device)
        works = torch.zeros_like(weight)
        summed, painted = torch.zeros_like(raw), torch.zeros_like(paint)
        first = max(0, self.steps - AVERAGED)
        for step in range(self.steps):
            optimizer.param_groups[0]["lr"] = self.rate * (1 - 0.9 * step / self.steps)
            drawn = images[torch.from_numpy(rng.permutation(len(images))[:batch])]
            with torch.enable_grad():
                mask, pattern = torch.sigmoid(raw), low + (high - low) * torch.sigmoid(paint)
                logits = network(_stamped(drawn, mask, pattern))
                size = mask.mean(dim=(1, 2, 3))
                loss = functional.cross_entropy(logits, goal, reduction="sum") / batch + (weight * size).sum()
                raw.grad, paint.grad = torch.autograd.grad(loss, [raw, paint])
            optimizer.step()
            works += (logits.detach().argmax(dim=1) == goal).reshape(count, batch).float().mean(dim=1) / ADJUSTED
            if step % ADJUSTED == ADJUSTED - 1:
                # As in the paper: more weight on the size while the trigger works, less while it does not.
                weight = torch.where(works > WORKS, weight * FACTOR, weight / FACTOR)
                works = torch.zeros_like(weight)
            if step >= first:
                summed += raw.detach()
                painted += paint.detach()
        mask, pattern = (torch.sigmoid(one / (self.steps - first)) for one in (summed, painted))
        return mask, low + (high - low) * pattern


def _stamped(
    images: Float[Tensor, "images channels height width"],
    mask: Float[Tensor, "targets 1 height width"],
    pattern: Float[Tensor, "targets channels height width"],
) -> Float[Tensor, "stamped channels height width"]:
    """Every image under every trigger, target by target."""
    return ((1 - mask[:, None]) * images + (mask * pattern)[:, None]).flatten(0, 1)
