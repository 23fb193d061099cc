"""Text and image classifiers of transformers, opened from a folder that `save_pretrained` wrote."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from torch import Tensor, nn

from audit.config.recipe import SourceSection
from audit.models.answers import Tokens, gives_logits, takes_tokens
from audit.models.declared_size import must_be_possible
from audit.models.prefixes import under_names
from audit.models.saved_config import CONFIG, config_in, input_in
from audit.models.weight_files import read_untrusted
from audit.storage.bounded import regular
from probes.errors import CheckpointError, DependencyError, RecipeError, first_line, one_line

Task = Literal["text", "image"]


class Transformers:
    partial = True
    """Source weights may lack parts: each replica initialises those afresh, as the library does."""

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
    except Exception as error:  # transformers raises many unrelated types on damaged or hostile files
        said = one_line(str(error))[:300]
        raise CheckpointError(f"transformers cannot open it: {said}", where=str(folder)) from None
    for name, value in section.options.items():
        if not hasattr(config, name):
            raise RecipeError(f"{type(config).__name__} has no {name!r}.", where="source.options")
        try:
            setattr(config, name, value)
        except Exception as error:  # of huggingface_hub's validation, which is no subclass of ValueError
            raise RecipeError(f"{name} = {value!r}: {one_line(str(error))[:200]}", where="source.options") from None
    if section.classes is not None:
        config.num_labels = section.classes
    if (described := (folder, config.to_json_string())) not in _TRIED:
        must_be_possible(lambda: bare(config), config.to_dict(), folder)
        _TRIED.add(described)
    return config


_TRIED: set[tuple[Path, str]] = set()
"""Each replica opens the folder again; the configuration is tried once."""


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


def weights_of(folder: Path, config: Any, *, whole: bool = False) -> dict[str, Tensor]:
    """The folder's weights under the classifier's names, from one file or several; weights that it lacks are left out,
    or refused if it must be `whole`. Prefixes of wrappers (DataParallel, torch.compile) are removed.

    A pickle is read only by torch's safe loader. Raises CheckpointError.
    """
    network, told = _read(folder, config)
    lacking = set(told["missing_keys"]) | {one[0] for one in told["mismatched_keys"]}
    if any(str(name).startswith(WRAPPED) for name in told["unexpected_keys"]):
        return _unwrapped(folder, network)
    if whole and told["mismatched_keys"]:
        name, stored, wanted = min(told["mismatched_keys"])
        raise CheckpointError(
            f"{name} has shape {tuple(stored)}, by its configuration {tuple(wanted)}.",
            where=str(folder),
            do=f"Take both from the same training: {CONFIG} and the weights do not belong together.",
        )
    if whole and (lacking := {one for one in lacking & set(network.state_dict()) if not one.endswith(COUNTS)}):
        raise CheckpointError(
            f"holds no {min(lacking)}, so it is not the whole classifier.",
            where=str(folder),
            do="Save the whole model with save_pretrained.",
        )
    return {name: value for name, value in network.state_dict().items() if name not in lacking}


COUNTS = "num_batches_tracked"
WRAPPED = ("module.", "_orig_mod.", "_fsdp_wrapped_module.")


def _read(folder: Path, config: Any) -> tuple[nn.Module, Mapping[str, Any]]:
    """The library's network with the folder's weights, and which of them it misses. Raises CheckpointError."""
    for file in files_in(folder):
        regular(file, CheckpointError)  # the library waits for a pipe
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
        raise CheckpointError(
            f"has no weights to read: {first_line(error).rstrip('.')}.",
            where=str(folder),
            do="Copy the whole folder, with every file that save_pretrained wrote.",
        ) from None
    except Exception as error:  # of safetensors, which is no subclass of these
        for file in files_in(folder):
            read_untrusted(file)  # says what the file is
        raise CheckpointError(f"has no weights to read: {first_line(error)}", where=str(folder)) from None
    return network, told


def _unwrapped(folder: Path, network: nn.Module) -> dict[str, Tensor]:
    """The weights of a file that a wrapped model was saved to. Raises CheckpointError."""
    expected = network.state_dict()
    stored = {name: value for file in files_in(folder) for name, value in read_untrusted(file).items()}
    state = {name: value for name, value in under_names(stored, expected).items() if name in expected}
    if len(state) < len(expected):
        name = next(name for name in expected if name not in state)
        raise CheckpointError(f"holds no {name} under any known prefix.", where=str(folder))
    return {name: value.float() if value.is_floating_point() else value for name, value in state.items()}


def as_stored(folder: Path, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`state`, which the library reads as float32 whatever the files hold, in their own types: integers are refused
    later, and fewer bits are told."""
    stored = {name: value for file in files_in(folder) for name, value in read_untrusted(file).items()}
    same = {
        name: value
        for name, value in under_names(stored, state).items()
        if name in state and value.shape == state[name].shape
    }
    return {**state, **same}


def files_in(folder: Path) -> list[Path]:
    """The files of weights that the library reads."""
    for pattern in ("model*.safetensors", "pytorch_model*.bin"):
        if found := sorted(folder.glob(pattern)):
            return found
    return []
