"""A causal language model as transformers saves it, or as PEFT's adapter for a base that is elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from audit.checkpoints.folders import training_arguments
from audit.checkpoints.folders.base import Described, read_json
from audit.models.saved_config import ADAPTER, CONFIG
from audit.storage.bounded import exists
from audit.storage.hub_cache import local_base
from probes.errors import CheckpointError

ENDINGS = ("ForCausalLM", "LMHeadModel")
GENERATES = "CAUSAL_LM"
"""PEFT's name of the task; an adapter without a task may be that of a classifier."""
ADAPTER_KEYS = ("peft_type", "r", "lora_alpha", "lora_dropout", "target_modules")
ENOUGH = frozenset({"epochs", "lr", "batch_size"})
"""Without any of these, a training cannot be repeated."""


class CausalLMFolder:
    order = -10  # before the audit record, which may lie beside it
    modality = "language"

    def recognises(self, folder: Path) -> bool:
        """Whether it is an adapter of a causal language model, or a full model with such an architecture."""
        if (folder / ADAPTER).is_file():
            return bool(_config(folder / ADAPTER).get("task_type") == GENERATES)
        named = _config(folder / CONFIG).get("architectures") if (folder / CONFIG).is_file() else None
        return isinstance(named, list) and any(str(one).endswith(ENDINGS) for one in named)

    def describe(self, folder: Path, base: Path | None, *, trust_code: bool) -> Described:
        """`source.weights` is the folder of its base, if there is one here; `train` is there only if the folder says
        enough to train again."""
        adapter = (folder / ADAPTER).is_file()
        config = _config(folder / (ADAPTER if adapter else CONFIG))
        named = str(config.get("base_model_name_or_path") or "") if adapter else ""
        began = base or _base_of(folder, named)
        arguments = training_arguments.of_folder(folder, trust_code=trust_code)
        enough = arguments.train.keys() >= ENOUGH and _says_how(folder, trust_code=trust_code)
        recipe: dict[str, object] = {"train": training_arguments.of_sequences(arguments.train)} if enough else {}
        if began is not None:
            recipe["source"] = {"weights": str(began)}
        keys = ADAPTER_KEYS if adapter else ("architectures",)
        read = [f"{key} = {config[key]} ({ADAPTER if adapter else CONFIG})" for key in keys if key in config]
        missing = [] if began is not None else [f"source.weights (--base FOLDER{f'; it was {named}' if named else ''})"]
        return Described(
            kind="causal-lm",
            folder=folder,
            recipe=recipe,
            read=(*read, *(arguments.read if enough else ())),
            assumed=arguments.assumed if enough else (),
            unknown=(*(arguments.unknown if enough else ()), *missing),
            tokenised=True,
        )


def _config(path: Path) -> Mapping[str, object]:
    content = read_json(path)
    return content if isinstance(content, Mapping) else {}


def _says_how(folder: Path, *, trust_code: bool) -> bool:
    """Whether a Trainer left its arguments, or what it logged."""
    names = (training_arguments.STATE, training_arguments.ARGUMENTS) if trust_code else (training_arguments.STATE,)
    return any((folder / name).is_file() for name in names)


def _base_of(folder: Path, named: str) -> Path | None:
    """Beside the adapter, from here, or in the library's cache. Raises CheckpointError if it is an adapter itself."""
    if not named:
        return None
    for candidate in (folder / named, Path(named)):
        if exists(candidate / CONFIG):
            return candidate
        if exists(candidate / ADAPTER):
            raise CheckpointError(
                f"its base, {named!r}, is an adapter itself.",
                where=str(folder),
                do="Merge that adapter into its own base (merge_and_unload), save it, and give it as --base.",
            )
    return local_base(named)
