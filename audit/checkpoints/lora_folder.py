"""A LoRA adapter as PEFT saves it, read without running any code from it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from audit.config.language_recipe import Adapter
from audit.models.saved_config import ADAPTER
from audit.storage.bounded import MIB, read_text
from probes.errors import CheckpointError
from probes.json_text import parsed

WEIGHTS = "adapter_model.safetensors"
KEY = re.compile(r"^(?:base_model\.model\.)?(?P<layer>.+)\.lora_(?P<side>[AB])(?:\.default)?\.weight$")
REFUSED = {
    "use_dora": "DoRA",
    "modules_to_save": "whole modules beside the adapter",
    "rank_pattern": "different ranks for some layers",
    "alpha_pattern": "different scales for some layers",
    "layer_replication": "replicated layers",
    "use_qalora": "QALoRA",
    "trainable_token_indices": "trained tokens",
}
"""Options that change what is trained, and that replicas do not support."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SavedAdapter:
    """`state` is as `audit.trainers.lora.adapter_state` has it; `base` is the configuration's name of it."""

    adapter: Adapter
    state: Mapping[str, Tensor]
    base: str


def read_adapter(folder: Path) -> SavedAdapter:
    """Raises CheckpointError, naming what the adapter has but replicas cannot have."""
    path = folder / ADAPTER
    try:
        config = parsed(read_text(path, MIB, CheckpointError))
    except ValueError as error:
        raise CheckpointError(f"is not JSON: {error}", where=str(path)) from None
    if not isinstance(config, Mapping) or str(config.get("peft_type", "")).upper() != "LORA":
        kind = config.get("peft_type") if isinstance(config, Mapping) else None
        raise CheckpointError(
            f"is an adapter of type {kind!r}; only LORA can be trained again.",
            where=str(path),
            do="Merge it into its base and save the full model.",
        )
    for option, what in REFUSED.items():
        if config.get(option):
            raise CheckpointError(f"has {what} ({option}).", where=str(path), do=f"Train without {option}.")
    if config.get("bias", "none") != "none":
        raise CheckpointError("also trains biases.", where=str(path), do='Train with bias = "none".')
    state = _state(folder / WEIGHTS)
    adapter = _adapter(config, state, path)
    ranks = sorted({value.shape[1] for name, value in state.items() if name.endswith(".down")} - {adapter.rank})
    if ranks:
        raise CheckpointError(
            f"says r = {adapter.rank}, but its weights have rank {', '.join(map(str, ranks))}.",
            where=str(path),
            do="Copy both files of one adapter.",
        )
    return SavedAdapter(adapter=adapter, state=state, base=str(config.get("base_model_name_or_path") or ""))


def _adapter(config: Mapping[str, Any], state: Mapping[str, Tensor], path: Path) -> Adapter:
    """Raises CheckpointError if a value of the configuration is not possible."""
    given = {"rank": config.get("r", 8), "alpha": config.get("lora_alpha", 8), "dropout": config.get("lora_dropout", 0)}
    try:
        # A layer that the base lacks is detected when the adapter is attached.
        adapter = Adapter(targets=tuple(sorted({name.rpartition(".")[0] for name in state})), **given)
    except ValidationError as error:
        mistake = error.errors()[0]
        named = {"rank": "r", "alpha": "lora_alpha", "dropout": "lora_dropout"}
        key = named.get(str(mistake["loc"][0]), "")
        raise CheckpointError(
            f"{key} = {config.get(key)!r}: {mistake['msg'][:1].lower()}{mistake['msg'][1:]}.",
            where=str(path),
            do="Copy the adapter again.",
        ) from None
    scale = math.sqrt(adapter.rank) if config.get("use_rslora") else 1.0
    return adapter.model_copy(update={"alpha": adapter.alpha * scale})


def write_adapter(
    folder: Path, adapter: Adapter, state: Mapping[str, Tensor], base: str, *, transposed: bool = False
) -> None:
    """Write an adapter in PEFT's format. `transposed`: the adapted layers store their weights as [in, out], as GPT-2's
    do."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": adapter.rank,
        "lora_alpha": adapter.alpha,
        "lora_dropout": adapter.dropout,
        "target_modules": sorted(adapter.targets),
        "bias": "none",
        "fan_in_fan_out": transposed,
    }
    (folder / ADAPTER).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    sides = {"down": "A", "up": "B"}
    tensors = {}
    for name, value in state.items():
        layer, _, side = name.rpartition(".")
        tensors[f"base_model.model.{layer}.lora_{sides[side]}.weight"] = value.T.contiguous()
    save_file(tensors, folder / WEIGHTS)


def _state(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise CheckpointError(
            f"holds no {WEIGHTS}.", where=str(path.parent), do="Save the adapter with safe_serialization=True."
        )
    try:
        tensors: dict[str, Any] = load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"is damaged: {error}", where=str(path), do="Copy it again.") from None
    state: dict[str, Tensor] = {}
    for name, value in tensors.items():
        if (found := KEY.match(name)) is None:
            what = "embeddings" if "embed" in name or "wte" in name else "more than LoRA's A and B"
            raise CheckpointError(
                f"holds {what} ({name}): the vocabulary was resized, or whole layers were trained."
                if what == "embeddings"
                else f"holds {what}: {name}.",
                where=str(path),
                do="Merge it into its base and save the full model.",
            )
        state[f"{found['layer']}.{'down' if found['side'] == 'A' else 'up'}"] = value.float().T.contiguous()
    if not state:
        raise CheckpointError("does not hold an adapter.", where=str(path))
    return state
