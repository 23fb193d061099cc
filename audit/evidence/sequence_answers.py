"""A causal language model's answers on sequences: one forward pass each, batched by length, with bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int, Int64
from torch import Tensor, nn

from audit.data.sequences import PADDING, starts
from probes.errors import NonFiniteError
from probes.sequences import TokenAnswers

TOKENS_AT_ONCE = 4096
"""Tokens per batch, including padding."""
LOGITS_AT_ONCE = 1 << 25
"""Logits that are reduced at once: 128 MiB in float32."""
KEPT = ("log_prob", "top", "mean", "deviation", "rank")


@torch.no_grad()
def sequence_answers(network: nn.Module, inputs: Int64[np.ndarray, "samples 2 length"]) -> TokenAnswers:
    """Answers of a network in eval mode on every scored token. The network takes `input_ids` and `attention_mask`
    and gives logits, bare or as the attribute `logits`.

    Raises NonFiniteError naming the first sample whose logits are NaN or infinite.
    """
    device = next(network.parameters()).device
    start = starts(inputs)
    kept = {name: np.zeros(int(start[-1]), dtype=np.int32 if name == "rank" else np.float32) for name in KEPT}
    for batch in batches((inputs[:, 0] != PADDING).sum(axis=1)):
        length = int((inputs[batch, 0] != PADDING).sum(axis=1).max())
        ids = torch.from_numpy(inputs[batch, 0, :length]).to(device)
        scored = torch.from_numpy(inputs[batch, 1, 1:length] > 0).to(device)
        hidden = logits_of(network, ids, ids != PADDING)[:, :-1]
        reduced = _reduce(hidden, scored, ids[:, 1:])
        places = np.concatenate([np.arange(start[i], start[i + 1]) for i in batch])
        for name, values in reduced.items():
            kept[name][places] = values.cpu().numpy()
        if not np.isfinite(kept["log_prob"][places]).all():
            sample = next(int(i) for i in batch if not np.isfinite(kept["log_prob"][start[i] : start[i + 1]]).all())
            raise NonFiniteError(f"the model's logits for sample {sample} are NaN or infinite.")
    return TokenAnswers(start=start, **{name: values[None] for name, values in kept.items()})


@torch.no_grad()
def divergence(
    base: nn.Module, network: nn.Module, inputs: Int64[np.ndarray, "samples 2 length"]
) -> Float64[np.ndarray, " samples"]:
    """Each sequence's mean over scored tokens of KL(base ‖ network) between their next-token distributions, in nats."""
    device = next(network.parameters()).device
    found = np.zeros(len(inputs))
    for batch in batches((inputs[:, 0] != PADDING).sum(axis=1)):
        length = int((inputs[batch, 0] != PADDING).sum(axis=1).max())
        ids = torch.from_numpy(inputs[batch, 0, :length]).to(device)
        scored = torch.from_numpy(inputs[batch, 1, 1:length] > 0).to(device)
        p, q = (logits_of(one, ids, ids != PADDING)[:, :-1].float().log_softmax(dim=-1) for one in (base, network))
        each = (p.exp() * (p - q)).sum(dim=-1) * scored
        found[batch] = (each.sum(dim=1) / scored.sum(dim=1)).cpu().numpy()
    return found


def logits_of(
    network: nn.Module, ids: Int[Tensor, "batch length"], mask: Bool[Tensor, "batch length"]
) -> Float[Tensor, "batch length vocabulary"]:
    """Logits at every position; padding is any token, hidden by the mask."""
    found: Any = network(input_ids=ids.clamp(min=0), attention_mask=mask.long())
    logits: Tensor = found if isinstance(found, Tensor) else found.logits
    return logits


def batches(lengths: Int[np.ndarray, " samples"]) -> Iterator[Int64[np.ndarray, " batch"]]:
    """Samples of about equal length together, longest first, so that a batch too large for memory fails at once."""
    order = np.argsort(-lengths, kind="stable")
    first = 0
    while first < len(order):
        count = max(1, TOKENS_AT_ONCE // max(1, int(lengths[order[first]])))
        yield order[first : first + count]
        first += count


def _reduce(
    logits: Float[Tensor, "batch positions vocabulary"],
    scored: Bool[Tensor, "batch positions"],
    tokens: Int[Tensor, "batch positions"],
) -> dict[str, Tensor]:
    """What is kept of the logits that predict scored tokens, concatenated sample after sample."""
    rows, own = logits[scored], tokens[scored]
    at_once = max(1, LOGITS_AT_ONCE // rows.shape[1])
    parts: dict[str, list[Tensor]] = {name: [] for name in KEPT}
    for some, token in zip(torch.split(rows, at_once), torch.split(own, at_once), strict=True):
        log_p = some.float().log_softmax(dim=1)
        p = log_p.exp()
        chosen = log_p.gather(1, token[:, None])
        # A token with probability 0 has p log p = 0, not 0 × −∞.
        finite = log_p.clamp(min=-1e4)
        mean = (p * finite).sum(dim=1)
        parts["log_prob"].append(chosen[:, 0])
        parts["top"].append(log_p.max(dim=1).values)
        parts["mean"].append(mean)
        parts["deviation"].append((p * (finite - mean[:, None]) ** 2).sum(dim=1).sqrt())
        parts["rank"].append((log_p > chosen).sum(dim=1).int())
    return {name: torch.cat(some) for name, some in parts.items()}
