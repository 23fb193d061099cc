"""θ_s: the source network, its weights, and where they came from."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from audit.factory import load_factory
from audit.head import classes_of, find_head, new_head, replace
from audit.recipe import SourceSection
from probes.errors import CheckpointError, RecipeError, did_you_mean


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """An architecture and θ_s. `state` is None where there are no source weights: then 'source' means random.

    `folder` is where a factory's file is looked for: the recipe's own.
    """

    section: SourceSection
    classes: int
    state: Mapping[str, Tensor] | None
    trust_code: bool = False
    folder: Path = Path()

    def network(self, seed: int, *, weights: bool = True) -> nn.Module:
        """A fresh network with the source's head; θ_s loaded unless `weights` is off (from scratch)."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = build(self.section, self.folder, trust_code=self.trust_code)
            head = find_head(network)
            if classes_of(network.get_submodule(head)) != self.classes:
                replace(network, head, new_head(network.get_submodule(head), self.classes))
        if weights and self.state is not None:
            network.load_state_dict(dict(self.state), strict=True)
        return network

    @cached_property
    def digest(self) -> str:
        return digest_state(self.state) if self.state is not None else "none"


def build(section: SourceSection, folder: Path, *, trust_code: bool) -> nn.Module:
    """The architecture with random weights from torch's current generator. Raises RecipeError."""
    if section.model.startswith("torchvision:"):
        from torchvision import models

        name = section.model.removeprefix("torchvision:")
        known = models.list_models(module=models)
        if name not in known:
            raise RecipeError(f"torchvision has no model {name!r}. {did_you_mean(name, known)}", where="source.model")
        make: Any = models.get_model_builder(name)
        options = {"weights": None, **section.options}
    else:
        make = load_factory(section.model, folder, trust_code=trust_code, where="source.model")
        options = dict(section.options)
    try:
        network = make(**options)
    except (TypeError, ValueError) as error:
        raise RecipeError(f"{section.model} refuses its options: {error}", where="source.options") from error
    if not isinstance(network, nn.Module):
        raise RecipeError(
            f"{section.model} gave a {type(network).__name__}, not a torch.nn.Module", where="source.model"
        )
    return network


def digest_state(state: Mapping[str, Tensor]) -> str:
    """sha256 over names, types, shapes and contents (the bytes of torch.save depend on the file's name)."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name}{tensor.dtype}{tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def read_state(path: Path) -> dict[str, Tensor]:
    """A state dict from a .pt, .pth, .th or .safetensors file: bare, or under 'state_dict'; 'module.' prefixes go.

    Raises CheckpointError. Never unpickles code.
    """
    content = read_untrusted(path)
    for key in ("state_dict", "model", "model_state_dict"):
        if isinstance(content.get(key), Mapping):
            content = content[key]
            break
    state = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    if not state:
        raise CheckpointError("holds no tensors", where=str(path), do="Give a state dict.")
    prefixed = all(name.startswith("module.") for name in state)
    return {name.removeprefix("module.") if prefixed else name: value for name, value in state.items()}


def read_untrusted(path: Path) -> dict[str, Any]:
    """What torch.save or safetensors wrote, without running any code in it. Raises CheckpointError."""
    if not path.is_file():
        raise CheckpointError("no such file", where=str(path))
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return dict(load_file(path))
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a dozen unrelated types on damaged or hostile files
        raise CheckpointError(_diagnosis(path, error), where=str(path)) from None
    if not isinstance(content, dict):
        raise CheckpointError(f"holds a {type(content).__name__}, not a checkpoint", where=str(path))
    return content


def _diagnosis(path: Path, error: Exception) -> str:
    text = str(error)
    if "Weights only load failed" in text or "weights_only" in text or "Unsupported" in text:
        return "holds pickled objects other than tensors, which could run code; it was not loaded. Save a state dict."
    if path.stat().st_size == 0:
        return "is empty."
    with path.open("rb") as file:
        zipped = file.read(4) == b"PK\x03\x04"
    if zipped and not zipfile.is_zipfile(path):
        return "is truncated or damaged. Copy it again."
    return "is not a torch checkpoint."
