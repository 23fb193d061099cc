"""Resolves a folder to the file that is meant."""

from __future__ import annotations

from pathlib import Path

from audit.storage.bounded import exists, is_folder
from probes.errors import InputError

RESULTS, CHECKPOINT = "results.json", "ckpt.pt"
WEIGHTS = ("*.pt", "*.pth", "*.safetensors", "pytorch_model*.bin")
INDEXES = ("*.safetensors.index.json", "*.bin.index.json")
"""Each lists the several files of one state dict."""
FAMILYS_OWN = ("audit-record.json", "adapter_config.json", "config.json", "args.yaml", "hparams.yaml")
"""Files beside the weights of a model that a library saved as a folder: then the folder itself is the model."""


def named_path(given: str | Path) -> Path:
    """The path. Raises InputError if it is an empty text, which would mean the working folder.

    >>> named_path("")
    Traceback (most recent call last):
    ...
    probes.errors.InputError: an empty path was given. Name one, or leave the argument out.
    """
    if isinstance(given, str) and not given.strip():
        raise InputError("an empty path was given.", do="Name one, or leave the argument out.")
    return Path(given)


def must_be_a_model(path: Path) -> None:
    """Raises InputError if there is neither a file nor a folder; a name without a suffix may be one of the Hub's.

    >>> must_be_a_model(Path("bert-base-uncased"))
    Traceback (most recent call last):
    ...
    probes.errors.InputError: bert-base-uncased: no such file or folder, and nothing is downloaded. Give a path.
    """
    if exists(path):
        return
    if path.suffix:
        raise InputError("no such checkpoint file.", where=str(path), do="Check the path.")
    raise InputError("no such file or folder, and nothing is downloaded.", where=str(path), do="Give a path.")


def results_in(path: Path | None) -> Path | None:
    """The results.json of a folder; a file is returned unchanged."""
    return path / RESULTS if path is not None and is_folder(path) else path


def checkpoint_in(path: Path | None) -> Path | None:
    """The folder's ckpt.pt, or the only weight file in it, or the only index of several; otherwise the path
    unchanged."""
    if path is None or not is_folder(path) or any((path / name).exists() for name in FAMILYS_OWN):
        return path
    if (path / CHECKPOINT).exists():
        return path / CHECKPOINT
    indexes = sorted(one for pattern in INDEXES for one in path.glob(pattern))
    found = indexes or weight_files(path)
    return found[0] if len(found) == 1 else path


def weight_files(folder: Path) -> list[Path]:
    """The files in the folder that may hold a model's weights, by name."""
    return sorted(one for pattern in WEIGHTS for one in folder.glob(pattern))
