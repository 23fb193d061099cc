"""Texts drawn from a language model at a temperature, token by token."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from audit.data.tokenizer import Tokenizer
from audit.evidence.sequence_answers import logits_of
from audit.runtime.randomness import torch_seed
from probes.errors import DataError

AT_ONCE = 64
DRAWS = 100
"""Largest number of batches without a new text before drawing is given up."""


@torch.no_grad()
def sampled_texts(
    network: nn.Module, tokenizer: Tokenizer, temperature: float, tokens: int, rng: np.random.Generator
) -> Iterator[str]:
    """Texts of `tokens` tokens each, all different, without special tokens: the first token uniformly, the others from
    the model's distribution at that temperature (Carlini et al. 2019 draw canaries uniformly; at a temperature they
    look more like text). The model is in eval mode.

    Raises DataError if the model gives the same few texts again and again.
    """
    device, seen = next(network.parameters()).device, set[str]()
    generator = torch.Generator(device=device).manual_seed(torch_seed(int(rng.integers(2**31)), "sampled texts"))
    barred = torch.zeros(int(network.get_input_embeddings().weight.shape[0]), device=device)  # type: ignore[operator]
    barred[[*tokenizer.all_special_ids, *range(len(tokenizer), len(barred))]] = -torch.inf
    idle = 0
    while idle < DRAWS:
        ids = torch.multinomial(barred.exp().expand(AT_ONCE, -1), 1, generator=generator)
        while ids.shape[1] < tokens:
            logits = logits_of(network, ids, torch.ones_like(ids, dtype=torch.bool))[:, -1].float()
            chances = (logits / temperature + barred).softmax(dim=1)
            ids = torch.cat([ids, torch.multinomial(chances, 1, generator=generator)], dim=1)
        texts = dict.fromkeys(tokenizer.decode(row.tolist()).strip() for row in ids)
        fresh = [text for text in texts if text and text not in seen and "\ufffd" not in text]
        seen |= set(fresh)
        idle = 0 if fresh else idle + 1
        yield from fresh
    raise DataError(
        f"gives only {len(seen)} different texts at temperature {temperature:g}: too few to draw canaries from.",
        where="--temperature",
        do="Give a higher temperature, or more --words.",
    )
