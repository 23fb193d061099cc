"""Inputs and outputs of other libraries' networks: token ids with their attention mask in, a tensor of logits out.

Both are hooks on the network itself, so that its modules and weights keep their names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from audit.data.tokens import SECOND

NAMES = ("logits", "output", "outputs", "out", "scores", "preds", "predictions")
"""The keys or attributes that may hold logits, in the order in which they are tried."""


def logits_in(answer: object, classes: int | None = None) -> object:
    """The logits in a model's output: the output itself if it is a tensor; the entry under one of NAMES of a
    ModelOutput, dict or object; of a tuple the first tensor with two axes, of those with as many columns as `classes`
    if there are any; of a dict the only such tensor; anything else unchanged.

    >>> logits_in({"loss": torch.tensor(0.5), "logits": torch.zeros(2, 3)}).shape
    torch.Size([2, 3])
    >>> logits_in((torch.tensor(0.5), torch.zeros(2, 3))).shape
    torch.Size([2, 3])
    >>> logits_in((torch.zeros(2, 8), torch.zeros(2, 3)), classes=3).shape
    torch.Size([2, 3])
    """
    if isinstance(answer, Tensor):
        return answer
    for name in NAMES:
        found = answer.get(name) if isinstance(answer, Mapping) else getattr(answer, name, None)
        if isinstance(found, Tensor):
            return found
    found = [one for one in _parts(answer) if one.is_floating_point() and one.ndim == 2]
    fitting = [one for one in found if one.shape[1] == classes] or found
    unclear = isinstance(answer, Mapping) and len(fitting) > 1
    return fitting[0] if fitting and not unclear else answer


def _parts(answer: object) -> Iterator[Tensor]:
    values = answer.values() if isinstance(answer, Mapping) else answer if isinstance(answer, tuple | list) else ()
    return (one for one in values if isinstance(one, Tensor))


@dataclass(frozen=True)
class OnlyLogits:
    """Passes on the logits of a network's output."""

    classes: int | None = None

    def __call__(self, network: nn.Module, inputs: tuple[object, ...], answer: object) -> object:
        return logits_in(answer, self.classes)


def gives_logits(network: nn.Module, classes: int | None = None) -> nn.Module:
    """The same network, which from now on returns a tensor wherever its output contains one, of so many `classes` where
    it contains several."""
    for key, hook in list(network._forward_hooks.items()):
        if isinstance(hook, OnlyLogits):
            del network._forward_hooks[key]
    network.register_forward_hook(OnlyLogits(classes))
    return network


@dataclass(frozen=True)
class Tokens:
    """From stored tokens (`audit/data/tokens.py`) to a transformer's arguments, its attention mask among them.

    `padding` is the id of padding; `typed` says whether the model distinguishes two texts.
    """

    padding: int
    typed: bool = False

    def __call__(self, network: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        (stored,) = given
        present = stored > 0
        # Attention over nothing is NaN, so a text without tokens is read as one padding token.
        first = torch.arange(stored.shape[1], device=stored.device) == 0
        ids = torch.where(present, (stored - 1) % SECOND, self.padding)
        arguments = {"input_ids": ids, "attention_mask": (present | first).long()}
        if self.typed:
            arguments["token_type_ids"] = torch.where(present, (stored - 1) // SECOND, 0)
        return (), named | arguments


def takes_tokens(network: nn.Module, tokens: Tokens) -> nn.Module:
    """The same network, which from now on takes only stored tokens."""
    network.register_forward_pre_hook(tokens, with_kwargs=True)
    return network


@dataclass(frozen=True)
class Masked:
    """Passes token ids on with their attention mask, which excludes `padding`."""

    padding: int

    def __call__(self, network: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        if len(given) != 1 or named or given[0].is_floating_point():
            return given, named
        (ids,) = given
        first = torch.arange(ids.shape[1], device=ids.device) == 0
        return (), {"input_ids": ids, "attention_mask": ((ids != self.padding) | first).long()}


def masks_padding(network: nn.Module) -> nn.Module:
    """The same network; one of transformers or PEFT that reads token ids gets the attention mask that its own data
    collator would pass."""
    padding = getattr(getattr(network, "config", None), "pad_token_id", None)
    ours = type(network).__module__.startswith(("transformers.", "peft."))
    masked = any(isinstance(hook, Masked | Tokens) for hook in network._forward_pre_hooks.values())
    if ours and isinstance(padding, int) and not masked:
        network.register_forward_pre_hook(Masked(padding), with_kwargs=True)
    return network


def is_hooked(network: nn.Module) -> bool:
    """Whether hooks change the input or output, which a rewrite of the forward pass would lose."""
    others = [hook for hook in network._forward_hooks.values() if not isinstance(hook, OnlyLogits)]
    return bool(others or network._forward_pre_hooks)
