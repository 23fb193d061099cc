"""Tensors from untrusted files: what they declare is checked against the file before anything is computed from them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from audit.storage.bounded import MIB, may_become
from probes.errors import CheckpointError

PLAIN = frozenset({
    torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.bool, torch.uint8, torch.int8, torch.int16,
    torch.int32, torch.int64, torch.uint16, torch.uint32, torch.uint64, torch.float8_e4m3fn, torch.float8_e5m2,
})  # fmt: skip
"""Types whose elements take whole bytes and that all of the tool's libraries can read."""

LARGEST = 2**40
"""Sizes of an empty tensor, multiplied: it takes no memory, but what is computed from its shape would overflow."""


def check_tensors(state: Mapping[str, object], path: Path, size: int) -> None:
    """Raises CheckpointError for a tensor that is sparse, quantised, without content, of a type with sub-byte elements,
    or that has more elements than its file of `size` bytes holds."""
    total = 0
    for name, value in state.items():
        if not isinstance(value, Tensor):
            continue
        if (odd := _odd(value)) is not None:
            raise CheckpointError(f"{name} is {odd}.", where=str(path), do="Save plain dense tensors.")
        total += value.numel() * value.element_size()
        if not may_become(total, size):
            raise CheckpointError(
                f"declares {total / MIB:,.0f} MiB of weights, but is {size / MIB:,.1f} MiB; it was not read.",
                where=str(path),
                do="Save plain dense tensors.",
            )


def _odd(value: Tensor) -> str | None:
    if value.layout != torch.strided:
        return "a sparse tensor"
    if value.is_quantized or value.dtype not in PLAIN:
        return f"a tensor of {type_of(value)}"
    if value.device.type != "cpu":
        return f"a tensor on {value.device.type}, without content"
    if value.numel() * value.element_size() > value.untyped_storage().nbytes():
        return f"of shape {tuple(value.shape)} over {value.untyped_storage().nbytes():,} bytes of content"
    if not value.numel() and math.prod(size for size in value.shape if size) > LARGEST:
        return f"an empty tensor of shape {tuple(value.shape)}"
    return None


def type_of(value: Tensor) -> str:
    """As in float32."""
    return str(value.dtype).removeprefix("torch.")


def quantised(name: str, kind: str, path: Path, *, do: str) -> CheckpointError:
    """The error for weights of a `kind` that stands for other numbers, such as int8."""
    return CheckpointError(
        f"{name} is {kind}: quantised weights mean nothing without their scales.", where=str(path), do=do
    )


def check_numbers(state: Mapping[str, Tensor], path: Path) -> None:
    """Raises CheckpointError for weights that are NaN. Infinities are allowed: attention masks contain them."""
    for name, value in state.items():
        if value.is_floating_point() and bool(torch.isnan(value).any()):
            raise CheckpointError(
                f"{name} contains NaN.", where=str(path), do="Give weights from before training failed."
            )
