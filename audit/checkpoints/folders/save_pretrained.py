"""A classifier of transformers as `save_pretrained` writes it: config.json, weights in one file or several, and the
tokenizer or image processor."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audit.checkpoints.folders import training_arguments
from audit.checkpoints.folders.base import Described, read_json
from audit.checkpoints.other_formats import of_distributed
from audit.models.saved_config import CONFIG, PROCESSOR, input_in, unfit_in, untold_in
from audit.storage.hub_cache import local_base
from probes.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

    from audit.training.experiment import Experiment

TOKENIZERS = ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "spiece.model", "sentencepiece.bpe.model")
CLASSIFIERS = ("ForSequenceClassification", "ForImageClassification")


class SavePretrained:
    order = 50

    def recognises(self, folder: Path) -> bool:
        """Whether there is a config.json that names a classifier."""
        path = folder / CONFIG
        if not path.is_file():
            return False
        content = read_json(path)
        named = content.get("architectures") if isinstance(content, Mapping) else None
        return any(str(one).endswith(CLASSIFIERS) for one in named or ())

    def describe(self, folder: Path, base: Path | None, *, trust_code: bool) -> Described:
        config = read_json(folder / CONFIG)
        _must_be_auditable(config, folder)
        arguments = training_arguments.of_folder(folder, trust_code=trust_code)
        began = base or base_of(config)
        recipe: dict[str, Any] = {
            "name": folder.resolve().name,
            "source": {"model": f"transformers:{folder.resolve()}"},
            "head": {"keep": True},
            "transfer": {"mode": "parameters", "dropout": "all"},
            "train": dict(arguments.train),
        }
        unknown, unfit = list(arguments.unknown), list[str]()
        if began is not None:
            recipe["source"]["weights"] = str(began.resolve())
        else:
            named = config.get("_name_or_path")
            unknown.append(f"source.weights (--base FOLDER{f'; it was {named}' if named else ''})")
        read = [f"{config['architectures'][0]} ({CONFIG})", *arguments.read]
        if base is None and began is not None:
            read.append(f"source.weights = {config['_name_or_path']} ({CONFIG})")
        if (folder / PROCESSOR).is_file():
            recipe["input"] = {"channels": int(config.get("num_channels", 3)), **input_in(folder)}
            read.append(f"[input] ({PROCESSOR})")
            unknown += untold_in(folder)
            unfit = unfit_in(folder)
        if arguments.seed is not None:
            recipe["seed"] = arguments.seed
        data, assumed = data_of(folder, config), list(arguments.assumed)
        if "tokenizer" not in data["text"] and began is not None and has_tokenizer(began):
            data["text"]["tokenizer"] = str(began.resolve())
            assumed.append(f"data.tokenizer = {began.name}")
        return Described(
            kind="save_pretrained",
            folder=folder,
            recipe=recipe,
            data=data,
            read=tuple(read),
            assumed=tuple(assumed),
            unknown=tuple(unknown),
            unread=arguments.unread,
            classes=classes_in(config),
            tokenised=True,
            unfit=tuple(unfit),
        )

    def weights(self, described: Described, experiment: Experiment) -> Mapping[str, Tensor]:
        from audit.models.families.transformers import as_stored, opened, weights_of

        section = experiment.recipe.source.model_copy(update={"classes": None})
        folder = described.folder
        try:
            return as_stored(folder, weights_of(folder, opened(folder, section), whole=True))
        except CheckpointError as error:
            if (known := of_distributed(folder)) is not None:
                raise CheckpointError(f"holds weights in {known[0]}.", where=str(folder), do=known[1]) from error
            raise


def _must_be_auditable(config: Mapping[str, object], folder: Path) -> None:
    """Raises CheckpointError for a model whose answers are no distribution over classes, or whose weights are
    quantised."""
    problem = config.get("problem_type")
    if problem in ("regression", "multi_label_classification"):
        raise CheckpointError(
            f"is a model for {problem.replace('_', ' ')}; each sample must have one class.",
            where=str(folder),
            do="Audit a classifier (problem_type = single_label_classification).",
        )
    if isinstance(quantised := config.get("quantization_config"), Mapping):
        raise CheckpointError(
            f"is quantised ({quantised.get('quant_method', 'unknown method')}), so it cannot be trained again.",
            where=str(folder),
            do="Audit the model before quantisation, and add the answers of this one as --variant ANSWERS.npz.",
        )


def has_tokenizer(folder: Path) -> bool:
    return any((folder / name).is_file() for name in TOKENIZERS)


def data_of(folder: Path, config: Mapping[str, object]) -> dict[str, dict[str, object]]:
    """What a recipe's [data] of texts can leave out: the tokenizer and the classes."""
    text: dict[str, object] = {}
    if has_tokenizer(folder):
        text["tokenizer"] = str(folder.resolve())
    if classes := classes_in(config):
        text["names"] = list(classes)
    return {"text": text}


def classes_in(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the classes in the order of their numbers; empty if they are only LABEL_0, LABEL_1, …"""
    named = config.get("id2label") or {}
    try:
        ordered = [str(named[key]) for key in sorted(named, key=int)]
    except (TypeError, ValueError):
        return ()
    return () if all(one == f"LABEL_{number}" for number, one in enumerate(ordered)) else tuple(ordered)


def base_of(config: Mapping[str, object]) -> Path | None:
    """The folder that the training started from, if the configuration names one that exists, or one that is in the
    library's cache on this machine."""
    named = config.get("_name_or_path")
    return local_base(named) if isinstance(named, str) and named else None
