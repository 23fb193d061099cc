"""An adapter as PEFT saves it: adapter_config.json and its weights, for a base that is elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audit.checkpoints.folders import training_arguments
from audit.checkpoints.folders.base import Described, read_json
from audit.checkpoints.folders.save_pretrained import data_of
from audit.models.saved_config import ADAPTER, PROCESSOR, input_in, unfit_in
from audit.storage.hub_cache import local_base
from probes.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

    from audit.training.experiment import Experiment

WEIGHTS = "adapter_model.safetensors"
TASKS = ("SEQ_CLS", None, "")
PROMPTS = ("PROMPT_TUNING", "MULTITASK_PROMPT_TUNING", "P_TUNING", "PREFIX_TUNING")
HEADS = ("classifier", "score")
"""Modules that PEFT saves whole for a classifier without being told."""


class PeftAdapter:
    order = 20

    def recognises(self, folder: Path) -> bool:
        """Whether there is an adapter_config.json of a classifier."""
        path = folder / ADAPTER
        content = read_json(path) if path.is_file() else None
        return isinstance(content, Mapping) and content.get("task_type") in TASKS

    def describe(self, folder: Path, base: Path | None, *, trust_code: bool) -> Described:
        config = read_json(folder / ADAPTER)
        if config.get("peft_type") in PROMPTS:
            raise CheckpointError(
                f"is an adapter of the kind {config['peft_type']}, which trains tokens, not layers.",
                where=str(folder),
                do="Train its replicas by your own code: --trainer FILE:FUNCTION.",
            )
        named = str(config.get("base_model_name_or_path") or "")
        began = base or local_base(named)
        arguments = training_arguments.of_folder(folder, trust_code=trust_code)
        recipe: dict[str, Any] = {
            "name": folder.resolve().name,
            "source": {"model": f"peft:{folder.resolve()}"},
            "head": {"keep": True},
            "transfer": {"mode": "adapter", "dropout": "all"},
            "train": dict(arguments.train),
        }
        if began is not None:
            recipe["source"]["weights"] = str(began.resolve())
        if (classes := classes_of(folder, config)) is not None:
            recipe["source"]["options"] = {"num_labels": classes}
        unfit: list[str] = []
        place = began if began is not None and (began / PROCESSOR).is_file() else folder
        if (place / PROCESSOR).is_file():
            recipe["input"] = {"channels": 3, **input_in(place)}
            unfit = unfit_in(place)
        if arguments.seed is not None:
            recipe["seed"] = arguments.seed
        keys = ("peft_type", "r", "lora_alpha", "lora_dropout", "target_modules", "modules_to_save")
        read = tuple(f"{key} = {config[key]} ({ADAPTER})" for key in keys if config.get(key) is not None)
        texts = data_of(folder, {})["text"] or ({} if began is None else data_of(began, {})["text"])
        unknown = [] if began is not None else [f"source.weights (--base FOLDER{f'; it was {named}' if named else ''})"]
        if config.get("peft_type") == "ADALORA":
            unknown.append("reallocation of ranks, orthogonality penalty (ADALORA)")
        return Described(
            kind="peft",
            folder=folder,
            recipe=recipe,
            data={"text": texts},
            read=(*read, *arguments.read),
            assumed=arguments.assumed,
            unknown=(*arguments.unknown, *unknown),
            unread=arguments.unread,
            tokenised=True,
            unfit=tuple(unfit),
        )

    def weights(self, described: Described, experiment: Experiment) -> Mapping[str, Tensor]:
        from audit.models.families.peft import adapted

        source = experiment.source
        return adapted(described.folder, source.network(0), source.state or {})


def classes_of(folder: Path, config: Mapping[str, Any]) -> int | None:
    """The number of classes of the classifier that was saved with the adapter; None if none was."""
    path = folder / WEIGHTS
    if not path.is_file():
        return None
    from safetensors import SafetensorError, safe_open

    whole = {*HEADS, *map(str, config.get("modules_to_save") or ())}
    try:
        with safe_open(path, framework="numpy") as file:
            shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise CheckpointError(f"is damaged: {error}", where=str(path)) from None
    # Of the modules that were saved whole, the classifier has the fewest outputs.
    outputs = [shape[0] for name, shape in shapes.items() if len(shape) > 1 and whole & set(name.split("."))]
    return min(outputs, default=None)
