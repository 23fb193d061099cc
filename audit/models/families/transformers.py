"""Text and image classifiers of transformers, opened from a folder that `save_pretrained` wrote."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from torch import Tensor, nn

from audit.config.recipe import SourceSection
from audit.models.answers import Tokens, gives_logits, takes_tokens
from audit.models.saved_config import CONFIG, config_in, input_in
from probes.errors import CheckpointError, DependencyError, RecipeError

Task = Literal["text", "image"]


class Transformers:
    partial = True
    """Source weights may lack parts: each replica initialises those afresh, as the library does."""
    trains_whole = True
    """The library's trainers put the whole network in train mode, including frozen parts."""

    def build(self, name: str, section: SourceSection, folder: Path, *, trust_code: bool) -> object:
        return network_of(opened(folder / name, section))

    def pretrained(self, name: str, section: SourceSection, folder: Path) -> Mapping[str, Tensor]:
        place = folder / str(section.weights)
        if not place.is_dir():
            raise RecipeError(
                f"{section.weights!r} is not a folder; no weights are downloaded.",
                where="source.weights",
                do="Download the base with `hf download NAME --local-dir FOLDER`, and give the folder.",
            )
        return weights_of(place, opened(folder / name, section))

    def input_of(self, name: str, section: SourceSection, folder: Path) -> dict[str, Any]:
        return input_in(folder / name)

    def digest(self, name: str, folder: Path) -> str:
        """Digest of the configuration, which the recipe only names."""
        path = folder / name / CONFIG
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else name


def library() -> Any:
    """transformers. Raises DependencyError."""
    try:
        import transformers
    except ImportError:
        raise DependencyError(
            "transformers is not installed.", where="source.model", do="pip install 'transfer-audit[huggingface]'"
        ) from None
    logging: Any = transformers.logging
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    return transformers


def opened(folder: Path, section: SourceSection) -> Any:
    """The folder's configuration with the recipe's options. Raises RecipeError, CheckpointError, DependencyError."""
    config_in(folder)
    try:
        config = library().AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"transformers cannot open it: {str(error).splitlines()[0]}", where=str(folder)) from None
    for name, value in section.options.items():
        if not hasattr(config, name):
            raise RecipeError(f"{type(config).__name__} has no {name!r}.", where="source.options")
        setattr(config, name, value)
    if section.classes is not None:
        config.num_labels = section.classes
    return config


def task_of(config: Any) -> Task:
    """Whether its classifier reads texts or images. Raises RecipeError if the library has no classifier of this
    kind."""
    from transformers.models.auto import modeling_auto

    text = config.model_type in modeling_auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES
    image = config.model_type in modeling_auto.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES
    if image and (not text or "ForImageClassification" in " ".join(config.architectures or ())):
        return "image"
    if text:
        return "text"
    raise RecipeError(
        f"transformers has no classifier of the kind {config.model_type!r} for texts or images.", where="source.model"
    )


def _class_of(config: Any) -> Any:
    name = "AutoModelForImageClassification" if task_of(config) == "image" else "AutoModelForSequenceClassification"
    return getattr(library(), name)


def network_of(config: Any) -> nn.Module:
    """The classifier with random weights from torch's current generator, initialised as the library does."""
    return as_ours(bare(config), config)


def bare(config: Any) -> nn.Module:
    """The library's own interface: its arguments in, its output type out."""
    made: nn.Module = _class_of(config).from_config(config, trust_remote_code=False)
    return made


def as_ours(network: nn.Module, config: Any) -> nn.Module:
    """Stored tokens (ids plus 1, 0 for padding) in, a tensor of logits out."""
    gives_logits(network)
    if task_of(config) == "text":
        padding = getattr(config, "pad_token_id", None)
        takes_tokens(network, Tokens(padding or 0, typed=getattr(config, "type_vocab_size", 0) > 1))
    return network


def weights_of(folder: Path, config: Any) -> dict[str, Tensor]:
    """The folder's weights under the classifier's names, from one file or several; weights that it lacks are left out.

    A pickle is read only by torch's safe loader. Raises CheckpointError.
    """
    try:
        network, told = _class_of(config).from_pretrained(
            folder,
            config=config,
            local_files_only=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            dtype="float32",
        )
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise CheckpointError(f"has no weights to read: {str(error).splitlines()[0]}", where=str(folder)) from None
    lacking = set(told["missing_keys"]) | {one[0] for one in told["mismatched_keys"]}
    return {name: value for name, value in network.state_dict().items() if name not in lacking}
