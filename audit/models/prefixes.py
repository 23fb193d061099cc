"""Prefixes that wrappers add to the names of weights: removed or added until the names are the network's own."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from torch import Tensor

PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.", "backbone.")
"""Prefixes of DataParallel, torch.compile, and, by convention, Lightning modules."""

INSIDE = ("_fsdp_wrapped_module.", "_checkpoint_wrapped_module.", "_orig_mod.")
"""Names of a module within its wrapper: FSDP, activation checkpointing, torch.compile."""


def under_names(found: Mapping[str, Tensor], expected: Collection[str]) -> dict[str, Tensor]:
    """The tensors under the expected names, as far as they differ only by a prefix.

    >>> import torch
    >>> list(under_names({"module.model.fc.weight": torch.zeros(1)}, {"fc.weight"}))
    ['fc.weight']
    >>> list(under_names({"fc.weight": torch.zeros(1)}, {"model.fc.weight"}))
    ['model.fc.weight']
    """
    state = _unwrapped(found, expected)
    while prefix := _hiding(state, expected):
        state = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    for prefix in PREFIXES:
        if not set(state) & set(expected) and all(name.startswith(prefix) for name in expected):
            return {prefix + name: value for name, value in state.items()}
    return _within(state, expected) if not set(state) & set(expected) else state


def _unwrapped(found: Mapping[str, Tensor], expected: Collection[str]) -> dict[str, Tensor]:
    """Without the parts that torch's wrappers of single modules insert anywhere in a name.

    >>> import torch
    >>> list(_unwrapped({"body._fsdp_wrapped_module.0.weight": torch.zeros(1)}, {"body.0.weight"}))
    ['body.0.weight']
    """
    state = dict(found)
    for part in INSIDE:
        if not any(part in name for name in expected):
            state = {name.replace(part, ""): value for name, value in state.items()}
    return state


def _within(state: dict[str, Tensor], expected: Collection[str]) -> dict[str, Tensor]:
    """Without an unknown prefix, if exactly one prefix reveals all of the network's names."""
    first = min(expected, default="")
    prefixes = [name.removesuffix(first) for name in state if name.endswith(f".{first}")]
    whole = [prefix for prefix in prefixes if all(prefix + name in state for name in expected)]
    return {name: state[whole[0] + name] for name in expected} if len(whole) == 1 else state


def _hiding(state: Mapping[str, Tensor], expected: Collection[str]) -> str | None:
    """A known wrapper's prefix on the network's names (tensors of a loss beside them may have none)."""
    known = len(set(expected) & set(state))
    if known == len(set(expected)):
        return None
    for prefix in PREFIXES:
        hidden = [name for name in state if name.startswith(prefix)]
        shown = {name.removeprefix(prefix) for name in hidden}
        if len(hidden) >= max(1, len(state) // 2) and len(shown & set(expected)) >= known:
            return prefix
    return None
