"""An adapter as PEFT saves it: adapter_config.json and its weights, for a base that is elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audit.checkpoints.folders import training_arguments
from audit.checkpoints.folders.base import Described, read_json
from audit.checkpoints.folders.save_pretrained import data_of
from audit.models.saved_config import ADAPTER, CONFIG, PROCESSOR, input_in
from audit.storage.bounded import exists
from probes.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

    from audit.training.experiment import Experiment

WEIGHTS = "adapter_model.safetensors"
TASKS = ("SEQ_CLS", None, "")


class PeftAdapter:
    order = 20

    def recognises(self, folder: Path) -> bool:
        """Whether there is an adapter_config.json of a classifier."""
        path = folder / ADAPTER
        content = read_json(path) if path.is_file() else None
        return isinstance(content, Mapping) and content.get("task_type") in TASKS

    def describe(self, folder: Path, base: Path | None, *, trust_code: bool) -> Described:
        config = read_json(folder / ADAPTER)
        named = str(config.get("base_model_name_or_path") or "")
        began = base or (Path(named) if named and exists(Path(named) / CONFIG) else None)
        if began is None:
            raise CheckpointError(
                f"is an adapter of {named[:200] or 'a base that it does not name'}, which was not found.",
                where=str(folder),
                do="Give its folder: --base FOLDER.",
            )
        arguments = training_arguments.of_folder(folder, trust_code=trust_code)
        recipe: dict[str, Any] = {
            "name": folder.resolve().name,
            "source": {"model": f"peft:{folder.resolve()}", "weights": str(began.resolve())},
            "head": {"keep": True},
            "transfer": {"mode": "adapter", "dropout": "all"},
            "train": dict(arguments.train),
        }
        if (classes := classes_of(folder)) is not None:
            recipe["source"]["options"] = {"num_labels": classes}
        place = began if (began / PROCESSOR).is_file() else folder
        if (place / PROCESSOR).is_file():
            recipe["input"] = {"channels": 3, **input_in(place)}
        if arguments.seed is not None:
            recipe["seed"] = arguments.seed
        keys = ("peft_type", "r", "lora_alpha", "lora_dropout", "target_modules", "modules_to_save")
        read = tuple(f"{key} = {config[key]} ({ADAPTER})" for key in keys if config.get(key) is not None)
        texts = data_of(folder, {})["text"] or data_of(began, {})["text"]
        return Described(
            kind="peft",
            folder=folder,
            recipe=recipe,
            data={"text": texts},
            read=(*read, *arguments.read),
            assumed=arguments.assumed,
            unknown=arguments.unknown,
        )

    def weights(self, described: Described, experiment: Experiment) -> Mapping[str, Tensor]:
        from audit.models.families.peft import adapted

        source = experiment.source
        return adapted(described.folder, source.network(0), source.state or {})


def classes_of(folder: Path) -> int | None:
    """The number of classes of the classifier that was saved with the adapter; None if none was."""
    path = folder / WEIGHTS
    if not path.is_file():
        return None
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            heads = [name for name in file.keys() if "lora_" not in name and name.endswith("weight")]  # noqa: SIM118
            return int(file.get_slice(heads[-1]).get_shape()[0]) if heads else None
    except SafetensorError as error:
        raise CheckpointError(f"is damaged: {error}", where=str(path)) from None
