"""Adapters: the LoRA replicas of a causal language model, many at once on one frozen base.

Each replica has its own minibatches, adapters and optimizer state. The base's products serve all of them in one call,
and adapters are applied by batched products, so the replicas equal those of the visible loop
(`audit.trainers.causal_lm`) up to the order of sums; with dropout, different units are dropped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from audit.config.language_recipe import LanguageTraining
from audit.runtime.randomness import torch_seed
from audit.trainers.causal_lm import Step, losses, schedule_of, step_of
from audit.trainers.lora import adapter_state, with_adapters
from probes.errors import NonFiniteError, RecipeError

AT_ONCE = 16
"""Largest number of replicas trained together: on a CPU more bring nothing."""
BYTES_A_NUMBER = 4
COPIES = 6
"""A batch in training holds about this many arrays of the size of its logits, or of a layer's activations."""


def affordable(
    network: nn.Module, inputs: Int64[np.ndarray, "samples 2 length"], training: LanguageTraining, memory: int
) -> int:
    """How many replicas may be trained at once in `memory` bytes, from 1 to 16: planned before anything is allocated,
    for minibatches of the longest sequences."""
    config = getattr(network, "config", None)
    width, layers, vocabulary = (
        int(getattr(config, name, 0) or 0) for name in ("hidden_size", "num_hidden_layers", "vocab_size")
    )
    a_token = vocabulary * COPIES + width * layers * 4 * COPIES
    one = training.batch_size * inputs.shape[2] * max(1, a_token) * BYTES_A_NUMBER
    return int(np.clip(memory // one, 1, AT_ONCE))


def train_adapters(
    base: nn.Module,
    inputs: Int64[np.ndarray, "samples 2 length"],
    kept: Bool[np.ndarray, "replicas samples"],
    training: LanguageTraining,
    seeds: Sequence[int],
) -> Iterator[dict[str, Tensor]]:
    """The adapters of each replica, in order. All replicas keep the same number of samples, so that they make the same
    number of steps.

    Raises RecipeError if they do not, or if the training has no adapter; NonFiniteError if a loss diverges.
    """
    if training.adapter is None:
        raise RecipeError("without an adapter, replicas do not share a base.", where="adapter")
    schedules = [schedule_of(one, training, seed) for one, seed in zip(kept, seeds, strict=True)]
    if len({len(schedule) for schedule in schedules}) > 1:
        raise RecipeError("replicas that are trained together must keep the same number of samples.")
    network = with_adapters(base, training.adapter, list(seeds))
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=training.lr, weight_decay=training.weight_decay)
    device = weights[0].device
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_seed(seeds[0], "dropout"))
        network.train()
        for number, batches in enumerate(zip(*schedules, strict=True)):
            for group in optimizer.param_groups:
                group["lr"] = training.lr * training.rate(number, len(schedules[0]))
            step = step_of(inputs, list(batches))
            loss = losses(network, Step(ids=step.ids.to(device), scored=step.scored.to(device)))
            if not bool(torch.isfinite(loss).all()):
                raise NonFiniteError(
                    f"the training loss became NaN or infinite in step {number + 1}.", do="Lower the learning rate."
                )
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss.sum())
            if training.clip_norm is not None:
                clip_each(weights, training.clip_norm)
            optimizer.step()
    for replica in range(len(seeds)):
        yield adapter_state(network, replica)


def clip_each(weights: Sequence[Float[Tensor, "replicas ..."]], largest: float) -> None:
    """Scale each replica's gradient, over all weights together, to at most this norm, as torch clips one model's."""
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    norms = torch.stack([gradient.flatten(1).norm(dim=1) for gradient in gradients]).norm(dim=0)
    factor = (largest / (norms + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(factor.reshape(-1, *([1] * (gradient.ndim - 1))))
