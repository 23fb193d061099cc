"""The interface of readers of model folders, and the choice among the installed ones.

Other distributions add one by an entry point in the group `audit.folders`. Recognising and describing read only plain
text: no pickle, and nothing heavy is imported.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard, runtime_checkable

from audit.checkpoints.other_formats import must_hold_torch_weights
from audit.data.record import NAME as RECORD
from audit.storage.bounded import MIB, read_text
from audit.storage.folders import checkpoint_in, weight_files
from probes.errors import CheckpointError, DependencyError, PluginError
from probes.json_text import parsed
from probes.message import Message
from probes.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

    from audit.training.experiment import Experiment

MOST = 64 * MIB
"""Largest size in bytes of a plain-text file in a folder."""
SHARD = re.compile(r"-\d{5}-of-\d{5}\.(safetensors|bin|pt)$")
"""The end of the name of one of several files of a state dict."""
MOST_ALIASES = 1000
"""Largest number of aliases in a YAML file: a few lines of them can expand to gigabytes."""


@dataclass(frozen=True, kw_only=True)
class Described:
    """What a folder says about its model.

    kind       name of the reader
    folder     that was read
    recipe     the parts of a recipe that the folder states; the user's own take precedence
    data       keys for the recipe's [data] by its kind: {"text": {"tokenizer": ...}}
    read       keys and values that need no translation: "train.epochs = 3 (trainer_state.json)"
    assumed    the same of what the folder does not state and its library does by default
    unknown    keys that nothing states
    unread     keys of the recipe's [train] that only a pickle there states, which is read where code is trusted
    classes    in the order of the model's outputs, if they have names
    expected   measures that the training recorded, by name
    tokenised  whether the model reads the tokens of one tokenizer, so that texts need it
    unfit      how the model's input is prepared, as far as a recipe cannot say it: then the user's must have an [input]
    knows_rows  whether it identifies the rows of its data, so that no other data can be taken for it
    """

    kind: str
    folder: Path
    recipe: Mapping[str, Any]
    data: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    read: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    expected: Mapping[str, float] = field(default_factory=dict)
    tokenised: bool = False
    unfit: tuple[str, ...] = ()
    knows_rows: bool = False

    def said(self) -> tuple[Message, ...]:
        """The notes to show before anything is trained, and in the report."""
        parts = {
            "audit.folder-read": self.read,
            "audit.folder-assumed": self.assumed,
            "audit.folder-unknown": self.unknown,
        }
        return tuple(
            Message(code, {"folder": self.folder.name, "kind": self.kind, "what": what})
            for code, what in parts.items()
            if what
        )


@runtime_checkable
class Reader(Protocol):
    """A reader of one kind of folder. More specific readers are tried first, in ascending `order`.

    One with the attribute `modality = "language"` reads causal language models that transformers can open: its
    `source.weights` is their base, and its `train` the keys of `audit.config.language_recipe.LanguageTraining`. All
    others are readers of classifiers and give their weights too.
    """

    order: int

    def recognises(self, folder: Path) -> bool:
        """Recognised by the names of its files and their plain-text content."""
        ...

    def describe(self, folder: Path, base: Path | None, *, trust_code: bool) -> Described:
        """`base` is the folder or file that the training started from, if the user names it. Pickles are read only
        with `trust_code`. Raises CheckpointError."""
        ...


@runtime_checkable
class ClassifierReader(Reader, Protocol):
    """A reader of classifiers."""

    def weights(self, described: Described, experiment: Experiment) -> Mapping[str, Tensor]:
        """The audited model's weights under the names of the experiment's network. Raises CheckpointError."""
        ...


def _accept(name: str, loaded: object) -> Reader:
    reader = loaded() if isinstance(loaded, type) else loaded
    if not isinstance(reader, Reader) or (is_of_classifiers(reader) and not isinstance(reader, ClassifierReader)):
        raise PluginError(f"{loaded!r} is not a reader of folders (see audit.checkpoints.folders.base.Reader)")
    return reader


def is_of_classifiers(reader: Reader) -> TypeGuard[ClassifierReader]:
    """Whether it reads classifiers; the others read language models."""
    return getattr(reader, "modality", None) != "language"


FOLDERS = Registry("audit.folders", "reader of folders", _accept)


def reader_of(folder: Path) -> tuple[str, Reader] | None:
    """The kind of the folder and its reader; None if no reader recognises it. A file is recognised by readers whose
    `suffixes` name it: a checkpoint that holds its own hyperparameters, or has them beside it."""
    if not folder.exists():
        return None
    for name, reader in sorted(FOLDERS.all().items(), key=lambda item: (item[1].order, item[0])):
        if not folder.is_dir() and not folder.name.endswith(getattr(reader, "suffixes", ("\0",))):
            continue
        with _as_it_should_be(folder):
            if reader.recognises(folder):
                return name, reader
    return None


def described_by(reader: Reader, folder: Path, base: Path | None, *, trust_code: bool) -> Described:
    """What the reader makes of the folder. Raises CheckpointError, of whatever type a value in its files is."""
    with _as_it_should_be(folder):
        return reader.describe(folder, base, trust_code=trust_code)


@contextmanager
def _as_it_should_be(folder: Path) -> Iterator[None]:
    """Readers take values to be of the types that libraries write; anybody may have written these."""
    try:
        yield
    except (TypeError, ValueError, KeyError, AttributeError, IndexError, OverflowError) as error:
        said = f"{type(error).__name__}: {error}"
        raise CheckpointError(
            f"holds a value of an unexpected type ({said}).", where=str(folder), do="Check its .json and .yaml files."
        ) from error


def file_of(reader: Reader, folder: Path) -> Path | None:
    """The one file that holds the model's weights; None if they are in several, or under names of the library's own."""
    given = getattr(reader, "file", None)
    return None if given is None else given(folder)


def must_be_known(path: Path) -> None:
    """Raises CheckpointError for a folder that no reader recognises and that holds no single file of weights, and for a
    file of another library."""
    must_hold_torch_weights(path)
    if not path.is_dir() or checkpoint_in(path) != path or reader_of(path) is not None:
        return
    held = "no model of a known kind"
    do = f"Give a folder as its library saved it, whole; kinds that are known: {', '.join(FOLDERS.names())}."
    if (path / "config.json").is_file():
        named = read_json(path / "config.json")
        kinds = named.get("architectures") if isinstance(named, Mapping) else None
        if isinstance(kinds, list) and kinds:
            held = f"a {kinds[0]}, which is not a classifier"
            do = "Classifiers are …ForSequenceClassification or …ForImageClassification, language models …ForCausalLM."
        else:
            held = "a config.json without `architectures`, so it does not say which network this is"
            do = "Save the whole classifier with save_pretrained, not its body or its configuration alone."
    elif any(SHARD.search(one.name) for one in weight_files(path)):
        held = "shards of one model without the index that lists them"
        do = "Copy the whole folder, with its file *.index.json."
    elif several := [
        *(one for one in (*weight_files(path), *sorted(path.glob("*.pth.tar"))) if "optim" not in one.name),
        *_models_below(path),
    ]:
        held += f" itself, but {', '.join(one.name for one in several[:5])}{', …' if len(several) > 5 else ''}"
        recorded = next((one for one in several if (one / RECORD).is_file()), several[-1])
        do = f"Give the audited one, such as {path / recorded.name}."
    raise CheckpointError(f"holds {held}.", where=str(path), do=do)


def _models_below(folder: Path) -> list[Path]:
    """Subfolders that hold a model, such as a Trainer's checkpoint-500, the latest last."""
    below = [one for one in sorted(folder.iterdir()) if one.is_dir() and not one.name.startswith(".")]
    known = [one for one in below[:100] if checkpoint_in(one) != one or reader_of(one) is not None]
    return sorted(known, key=lambda one: int(number) if (number := one.name.rpartition("-")[2]).isdigit() else -1)


def read_json(path: Path) -> Any:
    """Raises CheckpointError in one line."""
    try:
        return parsed(read_text(path, MOST, CheckpointError))
    except ValueError as error:
        raise CheckpointError(
            f"is not JSON: {str(error)[:200]}" if path.stat().st_size else "is empty.",
            where=str(path),
            do="Copy it again from where the model was saved.",
        ) from None


def read_yaml(path: Path, unread: list[str] | None = None) -> dict[str, Any]:
    """A mapping of plain values. Python's tuples become lists; a tag that would construct any other object is refused,
    or its key is added to `unread` if that is given. Raises CheckpointError with one line."""
    try:
        import yaml
    except ImportError:
        raise DependencyError("PyYAML is not installed.", where=str(path), do="pip install pyyaml") from None
    text = read_text(path, MOST, CheckpointError)
    if "&" in text and text.count("*") > MOST_ALIASES:
        raise CheckpointError("uses too many aliases; it was not read.", where=str(path))

    Plain: Any = type("Plain", (yaml.SafeLoader,), {})

    Plain.add_constructor("tag:yaml.org,2002:python/tuple", lambda loader, node: loader.construct_sequence(node))
    if unread is not None:
        Plain.add_multi_constructor("tag:yaml.org,2002:python/", lambda loader, suffix, node: UNREAD)
    try:
        found = yaml.load(text, Loader=Plain)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise CheckpointError(f"is not plain YAML: {' '.join(str(error).split())[:200]}", where=str(path)) from None
    values = {str(key): value for key, value in found.items()} if isinstance(found, dict) else {}
    if unread is not None:
        unread += [name for name, value in values.items() if value is UNREAD]
    return {name: value for name, value in values.items() if value is not UNREAD}


UNREAD = object()


def first_of(given: Mapping[str, object], names: Iterable[str]) -> object:
    """The value of the first of these keys that has one; None if none has."""
    return next((given[name] for name in names if given.get(name) is not None), None)
