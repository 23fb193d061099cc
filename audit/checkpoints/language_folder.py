"""Whether a folder holds a causal language model, as its reader says; nothing heavy is imported."""

from __future__ import annotations

from pathlib import Path

from audit.checkpoints.folders.base import is_of_classifiers, reader_of
from probes.errors import CheckpointError


def is_language_model(path: Path) -> bool:
    """Whether a reader of language models recognises the folder. Raises CheckpointError if a file of it is damaged."""
    found = reader_of(path) if path.is_dir() else None
    return found is not None and not is_of_classifiers(found[1])


def must_not_be_a_language_model(path: Path, do: str) -> None:
    """For whatever takes classifiers alone. Raises CheckpointError with what to do instead."""
    if is_language_model(path):
        raise CheckpointError("is a language model, which only `audit run` takes.", where=str(path), do=do)
