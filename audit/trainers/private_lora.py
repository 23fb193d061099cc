"""LoRA by DP-SGD through Opacus: each sequence's gradient is clipped, noise is added, minibatches are Poisson samples.

A sequence is the unit that is protected; its loss is the mean over its own scored tokens, so that no other sequence's
length weighs in it. Accounting is `audit.training.dp_sgd`'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from audit.config.language_recipe import LanguageTraining
from audit.config.recipe import PrivacySection
from audit.data.sequences import PADDING
from audit.evidence.sequence_answers import logits_of
from audit.runtime.randomness import stream, torch_seed
from audit.trainers.lora import LoRALinear
from audit.training.dp_sgd import Accounting, account, expected_warnings, noise_for, per_sample, private_optimizer
from probes.errors import NonFiniteError, RecipeError


class Parallel(nn.Module):
    """A frozen layer and one adapter, as two linear layers: Opacus has their gradients sample by sample."""

    def __init__(self, layer: nn.Module, down: Tensor, up: Tensor, *, scale: float, dropout: float) -> None:
        super().__init__()
        (wide, rank), high = down.shape, up.shape[1]
        self.layer, self.scale, self.dropout = layer, scale, dropout
        self.down, self.up = nn.Linear(wide, rank, bias=False), nn.Linear(rank, high, bias=False)
        self.down.weight, self.up.weight = (nn.Parameter(one.detach().T.contiguous()) for one in (down, up))

    def forward(self, inputs: Float[Tensor, "*batch wide"]) -> Float[Tensor, "*batch high"]:
        outputs: Tensor = self.layer(inputs)
        change: Tensor = self.up(self.down(functional.dropout(inputs, self.dropout, self.training)))
        return outputs + self.scale * change


def accounted(training: LanguageTraining, samples: int) -> Accounting:
    """ε of a training on so many samples, by its own noise, rate and steps.

    Raises RecipeError if it is not private, PrivacyError if no noise reaches its ε.
    """
    if training.privacy is None:
        raise RecipeError("is not private.", where="train.privacy")
    steps = training.steps(samples)
    rate = training.epochs / steps
    return account(training.privacy, noise_of(training.privacy, rate, steps), rate, steps)


@cache
def noise_of(section: PrivacySection, rate: float, steps: int) -> float:
    """σ, searched for once: all replicas of a size have the same."""
    return noise_for(section, rate, steps)


def minibatches(
    kept: Bool[np.ndarray, " samples"], training: LanguageTraining, seed: int
) -> Iterator[Int64[np.ndarray, " batch"]]:
    """Poisson samples: each kept sample is in each minibatch with the same probability, on its own."""
    mine = np.flatnonzero(kept)
    steps = training.steps(len(mine))
    rng = stream(seed, "language", "poisson")
    for _ in range(steps):
        yield mine[rng.random(len(mine)) < training.epochs / steps]


def train_privately(
    network: nn.Module,
    inputs: Int64[np.ndarray, "samples 2 length"],
    kept: Bool[np.ndarray, " samples"],
    training: LanguageTraining,
    seed: int,
) -> None:
    """The one adapter of `network` (`audit.trainers.lora.with_adapters`), trained in place.

    Raises NonFiniteError if the loss diverges, PrivacyError if a layer has no gradient sample by sample,
    RecipeError where nothing is kept.
    """
    if not kept.any():
        raise RecipeError("a replica keeps no sample.")
    section, steps = training.privacy, training.steps(int(kept.sum()))
    assert section is not None
    adapted = {name: one for name, one in network.named_modules() if isinstance(one, LoRALinear)}
    for name, lora in adapted.items():
        _put(network, name, Parallel(lora.layer, lora.down[0], lora.up[0], scale=lora.scale, dropout=lora.dropout))
    device = next(network.parameters()).device
    private, release = per_sample(network.to(device).train())
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    noise = torch.Generator(device=device).manual_seed(torch_seed(seed, "noise"))
    optimizer = private_optimizer(
        torch.optim.AdamW(weights, lr=training.lr, weight_decay=training.weight_decay),
        section,
        noise_of(section, training.epochs / steps, steps),
        int(kept.sum()) * training.epochs / steps,
        noise,
        after_noise=None,
    )
    with expected_warnings(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_seed(seed, "dropout"))
        for number, batch in enumerate(minibatches(kept, training, seed)):
            for group in optimizer.param_groups:
                group["lr"] = training.lr * training.rate(number, steps)
            # Nobody's turn is a step all the same: noise alone, by a sequence of which nothing is scored.
            chosen = inputs[batch if len(batch) else np.flatnonzero(kept)[:1]]
            chosen = torch.from_numpy(chosen[:, :, : int((chosen[:, 0] != PADDING).sum(axis=1).max())]).to(device)
            loss = sequence_losses(private, chosen[:, 0], (chosen[:, 1] > 0) & bool(len(batch))).mean()
            if not bool(torch.isfinite(loss)):
                raise NonFiniteError(
                    f"the training loss became NaN or infinite in step {number + 1}.", do="Lower the learning rate."
                )
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            optimizer.step()
    release()
    for name, lora in adapted.items():
        trained = network.get_submodule(name)
        assert isinstance(trained, Parallel)
        with torch.no_grad():
            lora.down[0].copy_(trained.down.weight.T)
            lora.up[0].copy_(trained.up.weight.T)
        _put(network, name, lora)


def sequence_losses(
    network: nn.Module, ids: Int64[Tensor, "batch length"], scored: Bool[Tensor, "batch length"]
) -> Float[Tensor, " batch"]:
    """Each sequence's mean loss over its own scored tokens, in nats; zero where none is scored."""
    mask = (ids != PADDING) | (torch.arange(ids.shape[1], device=ids.device) == 0)
    logits = logits_of(network, ids, mask)[:, :-1]
    each = functional.cross_entropy(
        logits.flatten(0, 1).float(), ids[:, 1:].clamp(min=0).flatten(), reduction="none"
    ).reshape(len(ids), -1)
    counted = scored[:, 1:]
    return (each * counted).sum(dim=1) / counted.sum(dim=1).clamp(min=1)


def _put(network: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, own = name.rpartition(".")
    setattr(network.get_submodule(parent), own, module)
