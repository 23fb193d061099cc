"""PEFT's adapters on a classifier of transformers, opened from the adapter's folder."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import warnings
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from audit.config.recipe import SourceSection
from audit.models.families.transformers import as_ours, bare, opened, weights_of
from audit.models.saved_config import ADAPTER, CONFIG, input_in, json_in
from audit.models.tensors import check_numbers, quantised, type_of
from audit.storage.hub_cache import local_base
from probes.errors import CheckpointError, DependencyError, RecipeError, first_line

BASE = "base_model.model."
"""The prefix that PEFT adds to the base's own names."""
UNUSED = ".original_module."
"""Modules that a trained copy replaces."""
ADAPTERS = ("adapter_model.safetensors", "adapter_model.bin")
COUNTED = "ranknum.default"
"""AdaLoRA's counts of ranks, which it does not save."""
PACKED = (torch.int8, torch.uint8, torch.int16, torch.int32)
"""Types of quantised weights; PEFT's own counts and masks have others."""
TWICE, INNER = "prompt_embeddings", ".modules_to_save."
"""Weights that PEFT stores under a second name, or loads itself, and then calls unexpected."""


class Peft:
    partial = True
    """The base has no adapter: each replica initialises its own."""

    def build(self, name: str, section: SourceSection, folder: Path, *, trust_code: bool) -> object:
        return network_of(folder / name, opened(base_of(folder / name, section, folder), section))

    def pretrained(self, name: str, section: SourceSection, folder: Path) -> Mapping[str, Tensor]:
        place = base_of(folder / name, section, folder)
        config = opened(place, section)
        return under_adapter(weights_of(place, config), network_of(folder / name, config))

    def begun(self, name: str, section: SourceSection, folder: Path, state: Mapping[str, Tensor]) -> nn.Module:
        """The network as a training begins: the adapter is initialised on the base that has its weights, since some
        kinds (DoRA, PiSSA, OLoRA) are initialised from these, or change them."""
        place = folder / name
        return network_of(place, opened(base_of(place, section, folder), section), state)

    def input_of(self, name: str, section: SourceSection, folder: Path) -> dict[str, Any]:
        return input_in(base_of(folder / name, section, folder))

    def digest(self, name: str, folder: Path) -> str:
        """Digest of the adapter's configuration, which the recipe only names."""
        path = folder / name / ADAPTER
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else name


def library() -> Any:
    """peft. Raises DependencyError."""
    try:
        import peft
    except ImportError:
        raise DependencyError("peft is not installed.", where="source.model", do="pip install peft") from None
    return peft


def base_of(adapter: Path, section: SourceSection, folder: Path) -> Path:
    """The folder of the base: source.weights, or else the one that the adapter names. Raises RecipeError if it does not
    exist."""
    named = section.weights or json_in(adapter / ADAPTER).get("base_model_name_or_path")
    place = folder / str(named)
    if section.weights is None and not (place / CONFIG).is_file():
        place = local_base(str(named)) or place
    if named is None or not (place / CONFIG).is_file():
        raise RecipeError(
            f"the base {named!r} of {adapter.name} was not found, and nothing is downloaded.",
            where="source.weights",
            do="Give its folder: --base FOLDER, or source.weights.",
        )
    return place


def network_of(adapter: Path, config: Any, state: Mapping[str, Tensor] | None = None) -> nn.Module:
    """The base, with the weights in `state` if given, and a new adapter of the folder's kind, with the parameters
    trainable that PEFT trains. Raises CheckpointError."""
    peft = library()
    base = bare(config)
    if state is not None:
        base.load_state_dict({plain(name): value for name, value in state.items()}, strict=False)
    try:
        with quietly():
            described = peft.PeftConfig.from_pretrained(str(adapter))
            described.inference_mode = False
            network = peft.get_peft_model(base, described)
    except (
        OSError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        ArithmeticError,
        RuntimeError,
        re.error,
    ) as error:
        said = first_line(error)
        raise CheckpointError(
            f"peft cannot open it: {said.rstrip('.')}.",
            where=os.path.normpath(adapter),
            do="Copy adapter_config.json again from where the adapter was saved.",
        ) from None
    return as_ours(network, config)


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Suppresses the library's warnings that are meant for its own users: another location of the base, features of
    later versions."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def under_adapter(base: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """The base's weights under the names that they have in the adapted network; the adapter's own weights are not among
    them."""
    return {name: base[plain(name)] for name in network.state_dict() if plain(name) in base}


def plain(name: str) -> str:
    """The base's own name of a weight of the adapted network.

    >>> plain("base_model.model.bert.pooler.modules_to_save.default.dense.weight")
    'bert.pooler.dense.weight'
    """
    for wrapper in (".base_layer.", ".original_module.", ".modules_to_save.default.", ".token_adapter."):
        name = name.replace(wrapper, ".")
    return name.removeprefix(BASE)


def adapted(adapter: Path, network: nn.Module, base: Collection[str]) -> dict[str, Tensor]:
    """All weights of the network after the folder's adapter is loaded into it; `base` are names of those that the base
    has.

    Raises CheckpointError if they do not fit, or if a part belongs to neither the base nor the adapter: it was
    initialised at random when the adapter was trained, and not saved.
    """
    peft = library()
    if not any((adapter / name).is_file() for name in ADAPTERS):
        raise CheckpointError(f"holds no {ADAPTERS[0]}.", where=str(adapter), do="Copy the whole folder.")
    own = {name: value for name, value in network.named_parameters() if name not in base}
    initial = {name: value.detach().clone() for name, value in own.items()}
    try:
        with quietly(), torch.no_grad():
            weights = peft.utils.load_peft_weights(str(adapter), device="cpu")
            _must_be_numbers(weights, adapter)
            for value in own.values():
                value.fill_(torch.nan)  # so that what the adapter does not hold is known, whatever its kind names it
            told = peft.set_peft_model_state_dict(network, weights)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        said = " ".join(str(error).split())[:200]
        said = f"it lacks {said.strip(chr(39))}" if isinstance(error, KeyError) else said
        raise CheckpointError(f"its adapter does not fit the base: {said}", where=str(adapter)) from None
    unknown = [name for name in getattr(told, "unexpected_keys", ()) if not name.endswith(TWICE) and INNER not in name]
    if unknown:
        raise CheckpointError(f"its adapter holds {unknown[0]}, which the base does not have.", where=str(adapter))
    lost = []
    for name, value in own.items():
        if not torch.isnan(value).all():
            continue
        if UNUSED in name or name.endswith(COUNTED):
            value.data.copy_(initial[name])
        else:
            lost.append(plain(name).rpartition(".")[0])
    if lost:
        raise CheckpointError(
            f"lacks {lost[0]}, and so does the base: it was initialised at random before training and not saved.",
            where=str(adapter),
            do=f"Train from a base that has it, or with modules_to_save naming {lost[0].rpartition('.')[2]!r}.",
        )
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def _must_be_numbers(weights: Mapping[str, Tensor], adapter: Path) -> None:
    """Raises CheckpointError for NaN, and for integers of a quantised adapter, which PEFT reads as numbers."""
    for name, value in weights.items():
        if value.dtype in PACKED:
            raise quantised(name, type_of(value), adapter, do="Save the adapter before quantisation.")
    check_numbers(weights, adapter)
