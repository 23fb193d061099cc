"""A model of timm as `timm.models.save_for_hf` writes it: config.json with the architecture and its input, and the
weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audit.checkpoints.folders.base import Described, read_json
from audit.models.saved_config import CONFIG, timm_input
from probes.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

    from audit.training.experiment import Experiment

FILES = ("model.safetensors", "pytorch_model.bin")
OPTIONS = ("num_classes", "in_chans", "img_size", "global_pool")
"""Arguments of the architecture that change the shapes of its weights or its answer."""


class TimmSaved:
    order = 45

    def recognises(self, folder: Path) -> bool:
        path = folder / CONFIG
        content = read_json(path) if path.is_file() else None
        return isinstance(content, Mapping) and isinstance(content.get("architecture"), str)

    def describe(self, folder: Path, base: Path | None, *, trust_code: bool) -> Described:
        content = read_json(folder / CONFIG)
        arguments = {"num_classes": content.get("num_classes"), **(content.get("model_args") or {})}
        options = {name: arguments[name] for name in OPTIONS if arguments.get(name) is not None}
        stated = content.get("pretrained_cfg") or content
        source: dict[str, Any] = {"model": f"timm:{content['architecture']}", "options": options}
        if base is not None:
            source["weights"] = str(base.resolve())
        recipe = {
            "name": folder.resolve().name,
            "source": source,
            "transfer": {"mode": "parameters", "dropout": "all"},
            "input": {"channels": int(arguments.get("in_chans") or 3), **timm_input(stated)},
        }
        return Described(
            kind="timm",
            folder=folder,
            recipe=recipe,
            read=(f"source.model = {source['model']}", f"[input] ({CONFIG})", f"weights ({self.file(folder).name})"),
            unknown=("[train]", *([] if base is not None else ["source.weights (--base FILE)"])),
            classes=tuple(map(str, content.get("label_names") or ())),
        )

    def file(self, folder: Path) -> Path:
        """Raises CheckpointError if there is none."""
        for name in FILES:
            if (folder / name).is_file():
                return folder / name
        raise CheckpointError(f"holds neither {' nor '.join(FILES)}.", where=str(folder))

    def weights(self, described: Described, experiment: Experiment) -> Mapping[str, Tensor]:
        from audit.models.weight_files import read_state

        return read_state(self.file(described.folder))
