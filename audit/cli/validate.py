"""What is checked before anything heavy is imported: a wrong path or name is reported at once, not after training."""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from audit.storage.bounded import exists
from probes.errors import ConfigError, InputError, OverwriteError, StoreError

if TYPE_CHECKING:
    from audit.config.audit_config import Config
    from audit.config.recipe import RecipeFile


def any_terminal() -> None:
    """Characters that a terminal or pipe cannot encode become question marks, so that only symbols are lost."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def must_have_a_working_folder() -> None:
    try:
        Path.cwd()
    except OSError:
        raise InputError("the working folder no longer exists.", do="Change to one that exists.") from None


def must_exist(path: Path | None, what: str) -> None:
    if path is not None and not exists(path):
        raise InputError(f"no such {what}.", where=str(path), do="Check the path.")


def must_be_a_model(path: Path | None) -> None:
    from audit.storage import folders

    if path is not None:
        folders.must_be_a_model(path)


def must_be_writable(folder: Path) -> None:
    if exists(folder) and not folder.is_dir():
        raise InputError("is a file; the report needs a folder.", where=str(folder), do="Choose another --out.")
    present = next(path for path in (folder, *folder.absolute().parents) if exists(path))
    try:
        if not present.is_dir():
            raise NotADirectoryError(20, "Not a directory")
        # Tested by writing: permissions say nothing about /proc, a full disk, or a folder mounted read-only.
        with tempfile.TemporaryDirectory(prefix=".audit-", dir=present):
            pass
        folder.is_dir()  # a name that no file can have
    except OSError as error:
        said = f"cannot be written: {error.strerror}."
        raise StoreError(said, where=str(folder), do="Choose another --out.") from None


def must_hold_a_report(folder: Path) -> None:
    """Before the work: whether the folder can be written, and charts can be drawn."""
    from reports.formats.address_space import must_be_drawable

    must_be_writable(folder)
    must_be_drawable()


def must_be_a_new_file(path: Path) -> None:
    """A path for a checkpoint: not a folder, not an existing file, and in a folder that can be written."""
    if path.is_dir():
        raise InputError("is a folder; the checkpoint needs a file.", where=str(path), do="Give -o FOLDER/ckpt.pt.")
    if path.exists():
        raise OverwriteError("exists already.", where=str(path), do="Choose another --out or remove it.")
    must_be_writable(path.absolute().parent)


def configuration(config: Path | None, changes: Sequence[str] | None, *, audited: bool = False) -> Config:
    """Thresholds and parameters, read once; before an audit, names in thresholds are checked too. Raises
    ConfigError."""
    from audit.config.audit_config import load
    from audit.config.pinned import unpinned

    must_exist(None if config is None else unpinned(config), "configuration file")
    read = load(config, Path.cwd(), changes or ())
    if audited:
        from audit.config.threshold_names import check_names

        check_names(read)
    return read


def recipe_file(recipe: Path, changes: Sequence[str] | None = None) -> RecipeFile:
    """The recipe, read once. Raises RecipeError."""
    must_exist(recipe, "recipe file")
    from audit.config.recipe import RecipeFile

    return RecipeFile.read(recipe, changes or ())


def recipe_for(
    model: Path | None, recipe: Path | None, base: Path | None, data_root: Path | None, *, trust_code: bool
) -> RecipeFile | None:
    """The recipe, completed from the model's folder if it is one. Raises RecipeError, CheckpointError."""
    if base is not None and not base.exists():
        raise InputError(
            "no such base, neither a folder nor a name in the Hub's cache; nothing is downloaded.",
            where=str(base),
            do=f"Check the path, or download it: hf download {base}.",
        )
    must_exist(data_root, "folder or file of data")
    if recipe is None:
        return None
    must_exist(recipe, "recipe file")
    from audit.checkpoints.folders.completed import completing
    from audit.config.recipe import RecipeFile

    return RecipeFile.read(recipe, complete=completing(model, recipe.resolve().parent, base, trust_code=trust_code))


def must_have_a_baseline(config: Config, baseline: Path | None) -> None:
    """The baseline must exist if a threshold refers to one. Raises ConfigError."""
    if baseline is None and (named := config.needs_baseline()):
        raise ConfigError(
            f"{named} must be no worse than a baseline, but there is none.",
            where=config.where,
            do="Give --baseline OLD/results.json, or --history FOLDER.",
        )


def must_say_what(model: Path | None, trainer: str | None, recipe: Path | None, predictions: Path | None) -> None:
    if model is None and trainer is None and predictions is None:
        raise InputError("there is nothing to audit.", where="--model", do="Give --model, --trainer or --predictions.")
    must_exist(predictions, "file")
    others = {"--model": model, "--trainer": trainer, "--recipe": recipe}
    if predictions is not None and (beside := [name for name, value in others.items() if value is not None]):
        raise InputError(f"goes without {beside[0]}.", where="--predictions", do="Give one of them.")
    if trainer is not None and recipe is not None:
        raise InputError("both a trainer and a recipe were given.", where="--trainer", do="Give one of them.")
    if trainer is not None:
        file, colon, function = trainer.rpartition(":")
        if not colon or not file.endswith(".py") or not function.isidentifier():
            raise InputError(f"{trainer!r} does not name a function.", where="--trainer", do="Write file.py:function.")
        must_exist(Path(file), "file")


def language_model(model: Path | None, only: Mapping[str, Path | None]) -> bool:
    """Whether the model is a causal language model's folder. Raises InputError for options that apply only to such a
    folder (`only`)."""
    from audit.checkpoints.language_folder import is_language_model

    for value in only.values():
        must_exist(value, "file")
    if model is not None and is_language_model(model):
        return True
    for option, value in only.items():
        if value is not None:
            raise InputError(
                "is for a causal language model in a folder, and this is a classifier or a checkpoint.",
                where=option,
                do="Omit it; data and split are in the recipe.",
            )
    return False


def seconds_of(span: str | None, option: str = "--budget") -> float | None:
    from audit.config.duration import seconds_of

    return None if span is None else seconds_of(span, option)
