"""A fine-tuned causal language model from its folder: the model, its base, its tokenizer, and how it was trained."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from torch import nn

from audit.checkpoints.folders.base import Described, described_by, is_of_classifiers, reader_of
from audit.checkpoints.lora_folder import SavedAdapter, read_adapter
from audit.config.language_recipe import LanguageTraining
from audit.data.tokenizer import Tokenizer
from audit.models.declared_size import must_be_possible
from audit.models.saved_config import ADAPTER, CONFIG
from audit.models.weight_files import digest_state
from audit.runtime.devices import device
from audit.storage.bounded import MIB, read_text
from audit.trainers.lora import load_adapter, with_adapters
from probes.errors import AuditError, CheckpointError, DependencyError, RecipeError, first_line, one_line
from probes.json_text import parsed
from probes.message import Text

TOKENIZERS = ("tokenizer.json", "tokenizer_config.json", "vocab.json", "tokenizer.model")
COPIES = 2
"""Two copies of the weights are in memory at once: the base, and the audited model or a replica of it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CausalLM:
    """Both networks are in eval mode, in float32, on one device. `training` is what the folder says about its training,
    `notes` what was read and what was assumed."""

    folder: Path
    origin: Path
    """The base's folder."""
    base: nn.Module
    audited: nn.Module
    tokenizer: Tokenizer
    context: int
    training: LanguageTraining | None
    saved: SavedAdapter | None
    base_digest: str
    notes: tuple[Text, ...]


def open_causal_lm(folder: Path, base: Path | None, *, trust_code: bool = False) -> CausalLM:
    """`base` is the folder of the model that it was fine-tuned from, if the adapter's configuration does not lead to
    it; `trust_code` reads training_args.bin, a pickle.

    Nothing is downloaded, and no code from the folder runs. Raises CheckpointError, DependencyError.
    """
    saved = read_adapter(folder) if (folder / ADAPTER).exists() else None
    described = _described(folder, base, trust_code=trust_code)
    origin = _base_of(folder, base, described, saved)
    must_fit_in_memory([origin] if saved else [origin, folder])
    before = _network(origin)
    if saved is None:
        after = _network(folder)
        _must_be_alike(before, after, folder)
    else:
        after = _adapted(before, saved, folder)
    tokenizer = _tokenizer(folder, origin, before)
    training = _training(described, saved)
    where = device()
    return CausalLM(
        folder=folder,
        origin=origin,
        base=before.to(where).eval(),
        audited=after.to(where).eval(),
        tokenizer=tokenizer,
        context=_context(before, tokenizer),
        training=training,
        saved=saved,
        base_digest=digest_state(before.state_dict()),
        notes=described.said(),
    )


def open_base(folder: Path) -> tuple[nn.Module, Any]:
    """A base in eval mode, and its tokenizer. Raises CheckpointError, DependencyError."""
    origin = _given_base(folder)
    must_fit_in_memory([origin])
    network = _network(origin)
    return network.to(device()).eval(), _tokenizer(origin, origin, network)


def _described(folder: Path, base: Path | None, *, trust_code: bool) -> Described:
    found = reader_of(folder)
    if found is None or is_of_classifiers(found[1]):
        raise CheckpointError("holds no causal language model.", where=str(folder), do="Give the folder of one.")
    return described_by(found[1], folder, base, trust_code=trust_code)


def _training(described: Described, saved: SavedAdapter | None) -> LanguageTraining | None:
    """None if the folder does not say enough. Raises CheckpointError for values that are not possible."""
    given = described.recipe.get("train")
    if given is None:
        return None
    try:
        return LanguageTraining(**given, adapter=None if saved is None else saved.adapter)
    except ValidationError as error:
        mistake = error.errors()[0]
        raise CheckpointError(
            f"train.{'.'.join(map(str, mistake['loc']))}: {mistake['msg']}.",
            where=str(described.folder),
            do="Give --recipe FILE with [train] epochs, lr and batch_size.",
        ) from None


def _given_base(given: Path) -> Path:
    if (given / ADAPTER).exists():
        raise CheckpointError(
            "is an adapter itself.", where=str(given), do="Merge it into its own base (merge_and_unload) first."
        )
    if not (given / CONFIG).exists():
        raise CheckpointError("holds no config.json.", where=str(given), do="Give the folder of the base model.")
    return given


def _base_of(folder: Path, given: Path | None, described: Described, saved: SavedAdapter | None) -> Path:
    if given is not None:
        return _given_base(given)
    if source := described.recipe.get("source"):
        return Path(source["weights"])
    named = "" if saved is None else saved.base
    what = f"its base, {named!r}, is not a folder here" if named else "does not say what it was fine-tuned from"
    raise CheckpointError(f"{what}.", where=str(folder), do="Give --base FOLDER; nothing is downloaded.")


def must_fit_in_memory(folders: list[Path]) -> None:
    """Raises CheckpointError, before anything is loaded, if the weights in float32 would not fit in memory."""
    needed = sum(_float32_bytes(folder) for folder in folders) * (COPIES if len(folders) == 1 else 1)
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    if needed > there:
        raise CheckpointError(
            f"needs about {needed / 2**30:.1f} GiB for its weights in float32, but only {there / 2**30:.1f} GiB are "
            f"free.",
            where=str(folders[-1]),
            do="Audit it on a machine with more memory, or audit a smaller model of the same recipe.",
        )


def _float32_bytes(folder: Path) -> int:
    """Bytes of the folder's weights in float32; 16-bit weights take twice the size of their file."""
    size = sum(one.stat().st_size for one in folder.glob("*.safetensors"))
    kind = str(_json(folder / CONFIG).get("torch_dtype", _json(folder / CONFIG).get("dtype", "")))
    return size * 2 if kind in ("float16", "bfloat16") else size


def _json(path: Path) -> Mapping[str, Any]:
    try:
        found = parsed(read_text(path, 64 * MIB, CheckpointError))
    except ValueError as error:
        raise CheckpointError(f"is not JSON: {error}", where=str(path)) from None
    return found if isinstance(found, Mapping) else {}


def _transformers(folder: Path) -> Any:
    """The library, silenced so that it does not write to this program's terminal. Raises DependencyError."""
    try:
        import transformers
    except ImportError:
        raise DependencyError(
            "transformers is not installed.", where=str(folder), do="pip install 'transfer-audit[huggingface]'"
        ) from None
    screen: Any = transformers.utils.logging
    screen.set_verbosity_error()
    screen.disable_progress_bar()
    return transformers


def _network(folder: Path) -> nn.Module:
    transformers = _transformers(folder)
    if not list(folder.glob("*.safetensors")):
        raise CheckpointError(
            "holds no .safetensors.", where=str(folder), do="Save it with save_pretrained(safe_serialization=True)."
        )
    try:
        config = transformers.AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
        make = partial(transformers.AutoModelForCausalLM.from_config, config, trust_remote_code=False)
        must_be_possible(make, config.to_dict(), folder)
        network: nn.Module = transformers.AutoModelForCausalLM.from_pretrained(
            str(folder), local_files_only=True, use_safetensors=True, trust_remote_code=False, dtype=torch.float32
        )
    except AuditError:
        raise
    except Exception as error:  # transformers raises many unrelated types
        if "ignore_mismatched_sizes" in str(error):  # its report of shapes went to the log
            raise CheckpointError(
                "its weights have other shapes than its config.json says.",
                where=str(folder),
                do="Copy config.json and the weights of one model.",
            ) from None
        raise CheckpointError(f"cannot be opened: {one_line(str(error))[:300]}", where=str(folder)) from None
    return network


def _must_be_alike(before: nn.Module, after: nn.Module, folder: Path) -> None:
    ours, theirs = ({name: tuple(value.shape) for name, value in one.state_dict().items()} for one in (before, after))
    for name, shape in theirs.items():
        if ours.get(name) != shape:
            resized = len(shape) == 2 and name in ours and ours[name][1:] == shape[1:]
            what = "its vocabulary was resized" if resized else "its architecture is not its base's"
            raise CheckpointError(
                f"{what}: {name} has shape {list(shape)}, in the base {list(ours.get(name, ()))}.",
                where=str(folder),
                do="Give --base, resized in the same way."
                if resized
                else "Give the --base that it was fine-tuned from.",
            )


def _adapted(base: nn.Module, saved: SavedAdapter, folder: Path) -> nn.Module:
    try:
        network = with_adapters(base, saved.adapter, [0])
        load_adapter(network, saved.state)
    except (RecipeError, AttributeError, RuntimeError) as error:
        what = error.what if isinstance(error, AuditError) else first_line(error)
        raise CheckpointError(
            f"is not an adapter of this base: {what}", where=str(folder), do="Give the --base that it was trained on."
        ) from None
    return network


def _tokenizer(folder: Path, base: Path, network: nn.Module) -> Tokenizer:
    """The model's own tokenizer, or else its base's. Raises CheckpointError if it has tokens that the model lacks."""
    transformers = _transformers(folder)
    own = [one for one in (folder, base) if any((one / name).exists() for name in TOKENIZERS)]
    if not own:
        raise CheckpointError(
            "neither the model nor its base has a tokenizer.", where=str(folder), do="Save it beside them."
        )
    found = []
    for place in own:
        try:
            found.append(
                transformers.AutoTokenizer.from_pretrained(str(place), local_files_only=True, trust_remote_code=False)
            )
        except Exception as error:  # transformers raises many unrelated types
            raise CheckpointError(f"its tokenizer cannot be opened: {first_line(error)}", where=str(place)) from None
    tokenizer: Tokenizer = found[0]
    if len(found) == 2 and (other := _differs(tokenizer.get_vocab(), found[1].get_vocab())):
        raise CheckpointError(
            f"its tokenizer is not its base's: {other}.", where=str(folder), do="Put the right tokenizer beside it."
        )
    rows = int(network.get_input_embeddings().weight.shape[0])  # type: ignore[operator]
    if len(tokenizer) > rows:
        raise CheckpointError(
            f"its tokenizer has {len(tokenizer)} tokens, the model has {rows}: it belongs to another model, or the "
            "vocabulary was resized after these weights were saved.",
            where=str(own[0]),
        )
    return tokenizer


def _differs(own: Mapping[str, int], base: Mapping[str, int]) -> str:
    """The first token that the two number differently; new tokens at the end do not count as a difference."""
    for token, number in sorted(base.items(), key=lambda pair: pair[1]):
        if own.get(token) != number:
            return f"{token!r} is {own.get(token, 'missing')} there and {number} in the base's"
    return ""


def _context(network: nn.Module, tokenizer: Tokenizer) -> int:
    """The model's context length in tokens."""
    config: Any = network.config
    known = [
        int(value)
        for value in (
            getattr(config, "max_position_embeddings", None),
            getattr(config, "n_positions", None),
            tokenizer.model_max_length,
        )
        if isinstance(value, int | float) and 0 < value < 1 << 30
    ]
    return min(known, default=2048)
