"""Fine-tune a causal language model, fully or by LoRA: the visible loop, whose replicas the adapters engine must
reproduce."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from audit.config.language_recipe import LanguageTraining
from audit.data.sequences import PADDING, joined_rows
from audit.evidence.sequence_answers import logits_of
from audit.runtime.randomness import stream, torch_seed
from audit.trainers.lora import with_adapters
from audit.trainers.private_lora import train_privately
from probes.errors import NonFiniteError, RecipeError

Minibatch = tuple[Int64[np.ndarray, "rows 2 any_length"], Int64[np.ndarray, " batch"]]
"""Rows of tokens, and which of them are in the minibatch."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Step:
    """One minibatch for each replica, padded to equal size with rows that are not scored."""

    ids: Int64[Tensor, "replicas batch length"]
    scored: Bool[Tensor, "replicas batch length"]


def schedule_of(
    kept: Bool[np.ndarray, " samples"], training: LanguageTraining, seed: int
) -> list[Int64[np.ndarray, " batch"]]:
    """The samples of every step, epoch after epoch; the last minibatch of an epoch may be smaller."""
    steps = []
    for order in orders_of(kept, training, seed):
        steps += [order[first : first + training.batch_size] for first in range(0, len(order), training.batch_size)]
    return steps


def orders_of(
    kept: Bool[np.ndarray, " samples"], training: LanguageTraining, seed: int
) -> Iterator[Int64[np.ndarray, " kept"]]:
    """The kept samples in the order of each epoch. Raises RecipeError if there are none."""
    mine = np.flatnonzero(kept)
    if not len(mine):
        raise RecipeError("a replica keeps no samples.")
    for epoch in range(training.epochs):
        yield stream(seed, "language", epoch).permutation(mine)


def minibatches(
    inputs: Int64[np.ndarray, "samples 2 length"],
    kept: Bool[np.ndarray, " samples"],
    training: LanguageTraining,
    seed: int,
) -> list[list[Minibatch]]:
    """The steps of every epoch: of the samples themselves, or of those of an epoch joined into rows."""
    epochs = []
    for order in orders_of(kept, training, seed):
        rows, places = inputs, order
        if training.packing is not None:
            rows = joined_rows(inputs, order, training.packing)
            places = np.arange(len(rows))
        firsts = range(0, len(places), training.batch_size)
        epochs.append([(rows, places[first : first + training.batch_size]) for first in firsts])
    return epochs


def step_of(inputs: Int64[np.ndarray, "samples 2 length"], batches: list[Int64[np.ndarray, " batch"]]) -> Step:
    """One minibatch per replica, trimmed to the longest sequence among them and padded to the largest batch."""
    size = max(len(batch) for batch in batches)
    length = max(int((inputs[batch, 0] != PADDING).sum(axis=1).max()) for batch in batches)
    ids = np.full((len(batches), size, length), PADDING, dtype=np.int64)
    scored = np.zeros((len(batches), size, length), dtype=bool)
    for replica, batch in enumerate(batches):
        ids[replica, : len(batch)] = inputs[batch, 0, :length]
        scored[replica, : len(batch)] = inputs[batch, 1, :length] > 0
    return Step(ids=torch.from_numpy(ids), scored=torch.from_numpy(scored))


def losses(network: nn.Module, step: Step) -> Float[Tensor, " replicas"]:
    """Each replica's mean loss over the scored tokens of its minibatch, in nats, as in the libraries' trainers."""
    replicas, size, length = step.ids.shape
    ids, scored = step.ids.reshape(-1, length), step.scored[:, :, 1:]
    # A padding row must not consist only of padding tokens: attention over nothing is NaN.
    mask = (ids != PADDING) | (torch.arange(length, device=ids.device) == 0)
    logits = logits_of(network, ids, mask)[:, :-1]
    targets = ids[:, 1:].clamp(min=0)
    each = functional.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(), reduction="none")
    each = each.reshape(replicas, size, length - 1) * scored
    return each.sum(dim=(1, 2)) / scored.sum(dim=(1, 2)).clamp(min=1)


def fine_tune(
    base: nn.Module,
    inputs: Int64[np.ndarray, "samples 2 length"],
    kept: Bool[np.ndarray, " samples"],
    training: LanguageTraining,
    seed: int,
    on_epoch: Callable[[int, nn.Module], None] = lambda epoch, network: None,
) -> nn.Module:
    """The base trained on the kept samples; the base itself is not changed. `on_epoch` is called with the network in
    eval mode after each epoch, from 1, except of private training.

    Raises NonFiniteError if the loss diverges, RecipeError if nothing is kept or no layer is adapted,
    PrivacyError where a training is to be private and cannot be.
    """
    adapter = training.adapter
    if training.privacy is not None:
        if adapter is None:
            raise RecipeError("is for adapters.", where="train.privacy", do="Fine-tune a LoRA adapter, or omit it.")
        private = with_adapters(base, adapter, [seed])
        train_privately(private, inputs, kept, training, seed)
        return private.eval()
    network = copy.deepcopy(base).requires_grad_(True) if adapter is None else with_adapters(base, adapter, [seed])
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=training.lr, weight_decay=training.weight_decay)
    device = weights[0].device
    epochs = minibatches(inputs, kept, training, seed)
    steps, number = sum(map(len, epochs)), 0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_seed(seed, "dropout"))
        for epoch, batches in enumerate(epochs, start=1):
            network.train()
            for rows, batch in batches:
                for group in optimizer.param_groups:
                    group["lr"] = training.lr * training.rate(number, steps)
                number += 1
                step = step_of(rows, [batch])
                loss = losses(network, Step(ids=step.ids.to(device), scored=step.scored.to(device)))[0]
                if not bool(torch.isfinite(loss)):
                    raise NonFiniteError(
                        f"the training loss became NaN or infinite in step {number}.", do="Lower the learning rate."
                    )
                optimizer.zero_grad(set_to_none=True)
                torch.autograd.backward(loss)
                if training.clip_norm is not None:
                    nn.utils.clip_grad_norm_(weights, training.clip_norm)
                optimizer.step()
            on_epoch(epoch, network.eval())
    return network.eval()
