"""θ_s: the source network, its weights, and where they came from."""

from __future__ import annotations

import hashlib
import warnings
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from audit.factory import load_factory
from audit.head import classes_of, find_head, new_head, replace
from audit.recipe import SourceSection
from audit.weights import named_weights, timm_model
from probes.errors import CheckpointError, DataError, DependencyError, RecipeError, did_you_mean


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """An architecture and θ_s. `state` is None where there are no source weights: then 'source' means random.

    `folder` is where a factory's file is looked for: the recipe's own; `head` is the recipe's word for the classifier.
    """

    section: SourceSection
    classes: int
    state: Mapping[str, Tensor] | None
    trust_code: bool = False
    folder: Path = Path()
    head: str | None = None

    def network(self, seed: int, *, weights: bool = True) -> nn.Module:
        """A fresh network with the source's head; θ_s loaded unless `weights` is off (from scratch)."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = build(self.section, self.folder, trust_code=self.trust_code)
            head = find_head(network, self.head)
            if classes_of(network.get_submodule(head)) != self.classes:
                replace(network, head, new_head(network.get_submodule(head), self.classes))
        if weights and self.state is not None:
            try:
                network.load_state_dict(dict(self.state), strict=True)
            except RuntimeError as error:
                reason = " ".join(str(error).split())[:200]
                raise CheckpointError(
                    f"the weights do not fit {self.section.model}: {reason}",
                    where="source.weights",
                    do="Check source.model and source.options.",
                ) from None
        return network

    @cached_property
    def digest(self) -> str:
        return digest_state(self.state) if self.state is not None else "none"


def build(section: SourceSection, folder: Path, *, trust_code: bool) -> nn.Module:
    """The architecture with random weights from torch's current generator. Raises RecipeError, DependencyError."""
    family, _, name = section.model.partition(":")
    if family in ("torchvision", "timm") and (loading := sorted(LOADING & set(section.options))):
        raise RecipeError(
            f"{loading[0]!r} would load weights past the recipe.",
            where="source.options",
            do="Name them as source.weights.",
        )
    make: Callable[..., Any]
    if family == "torchvision":
        make, options = _torchvision(name, section)
    elif family == "timm":
        make, options = timm_model(name), {"pretrained": False, **section.options}
    else:
        make = load_factory(section.model, folder, trust_code=trust_code, where="source.model")
        options = dict(section.options)
    try:
        network = make(**options)
    except ImportError as error:
        raise DependencyError(
            f"{section.model} needs what is not installed: {error}.", where="source.model", do="Install it with pip."
        ) from error
    except (TypeError, ValueError, RuntimeError) as error:
        raise RecipeError(f"{section.model} refuses its options: {error}", where="source.options") from error
    if not isinstance(network, nn.Module):
        raise RecipeError(
            f"{section.model} gave a {type(network).__name__}, not a torch.nn.Module", where="source.model"
        )
    return network


LOADING = {"weights", "pretrained", "checkpoint_path", "pretrained_cfg", "pretrained_cfg_overlay"}

# Their auxiliary classifiers serve training from scratch on large images alone, and change what forward returns.
AUXILIARY = {"googlenet": ("aux1.", "aux2."), "inception_v3": ("AuxLogits.",)}


def _torchvision(name: str, section: SourceSection) -> tuple[Callable[..., Any], dict[str, Any]]:
    from torchvision import models

    known = models.list_models(module=models)
    if name not in known:
        raise RecipeError(f"torchvision has no model {name!r}. {did_you_mean(name, known)}", where="source.model")
    options: dict[str, Any] = {"weights": None}
    if name in AUXILIARY:
        options |= {"aux_logits": False, "init_weights": True}
        options["transform_input"] = section.weights is not None and not Path(section.weights).suffix
    return models.get_model_builder(name), options | section.options


def pretrained(section: SourceSection, folder: Path) -> dict[str, Tensor] | None:
    """θ_s from a file, torchvision's or timm's weights; None where the section names none.

    Raises CheckpointError on a file that is missing, unsafe or not the one its sha256 says, RecipeError on an unknown
    name, DataError where weights would have to be downloaded and cannot be.
    """
    if section.weights is None:
        return None
    path = folder / section.weights
    if path.suffix or path.exists():
        if section.sha256 and (found := digest_file(path)) != section.sha256.lower():
            raise CheckpointError(
                f"has sha256 {found[:12]}…, the recipe expects {section.sha256[:12]}….",
                where=str(path),
                do="Get the file the recipe was written for.",
            )
        return read_state(path)
    family, _, name = section.model.partition(":")
    try:
        if family == "timm":
            return dict(timm_model(name)(pretrained=True, **section.options).state_dict())
        state = named_weights(section).get_state_dict(progress=False)
    except OSError as error:
        raise DataError(
            f"{section.weights} of {section.model} is not here and cannot be downloaded: {error}",
            where="source.weights",
            do="Download it elsewhere and give its file.",
        ) from error
    return {key: value for key, value in state.items() if not key.startswith(AUXILIARY.get(name, ("\0",)))}


def identified(section: SourceSection, folder: Path) -> SourceSection:
    """The section with the sha256 of its weights file, so that a checkpoint says which file it started from; one that
    the recipe gives stays, to be held against the file."""
    if section.weights is None or section.sha256 or not (path := folder / section.weights).is_file():
        return section
    return section.model_copy(update={"sha256": digest_file(path)})


def digest_file(path: Path) -> str:
    """sha256 of a file. Raises CheckpointError where there is none."""
    if not path.is_file():
        raise CheckpointError("no such file", where=str(path))
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what torch muses about strange pickles, the error says clearly
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a dozen unrelated types on damaged or hostile files
        raise CheckpointError(_diagnosis(path, error), where=str(path)) from None
    if not isinstance(content, dict):
        raise CheckpointError(f"holds a {type(content).__name__}, not a checkpoint", where=str(path))
    return content


def damaged(path: Path) -> str | None:
    """The first record of a torch.save archive whose CRC-32 does not fit its bytes: torch reads it without a word."""
    try:
        if not zipfile.is_zipfile(path):
            return None
        with zipfile.ZipFile(path) as archive:
            return archive.testzip()
    except (zipfile.BadZipFile, OSError, RuntimeError, ValueError, zlib.error):  # any of its headers may be nonsense
        return "the archive's table of contents"


def _diagnosis(path: Path, error: Exception) -> str:
    text = str(error)
    if path.stat().st_size == 0:
        return "is empty."
    with path.open("rb") as file:
        start = file.read(4)
    if start == b"PK\x03\x04" and (not zipfile.is_zipfile(path) or damaged(path)):
        return "is truncated or damaged. Copy it again."
    # A pickle of any protocol since 2003, bare or in an archive; torch calls every other file unsafe as well.
    pickled = start == b"PK\x03\x04" or start[:1] == b"\x80"
    if pickled and ("Weights only load failed" in text or "weights_only" in text or "Unsupported" in text):
        return "holds pickled objects other than tensors, which could run code; it was not loaded. Save a state dict."
    return "is not a torch checkpoint."
