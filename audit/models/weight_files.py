"""Weight files, read without running code in them, and their digests."""

from __future__ import annotations

import argparse
import datetime
import hashlib
import pathlib
import re
import warnings
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from audit.models.saved_config import json_in
from audit.models.tensors import check_tensors
from audit.models.weight_sets import key_of_weights, numbered, weights_in, weights_under
from audit.storage.bounded import check_archive, regular
from probes.errors import CheckpointError


def digest_file(path: Path) -> str:
    """sha256 of a file. Raises CheckpointError if it does not exist."""
    regular(path, CheckpointError)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_state(state: Mapping[str, Tensor]) -> str:
    """sha256 over names, types, shapes and contents (the bytes of torch.save depend on the file's name)."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name}{tensor.dtype}{tuple(tensor.shape)}".encode())
        if tensor.numel():
            digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def read_state(path: Path, *, allowed: Sequence[type] = (), key: str | None = None) -> dict[str, Tensor]:
    """A state dict from a .pt, .pth, .th or .safetensors file: bare, under a key, or under the given `key`; 'module.'
    prefixes are removed.

    Raises CheckpointError. Never unpickles code; `allowed` are harmless classes that may be stored beside the weights.
    """
    return state_in(read_untrusted(path, allowed=allowed), path, key)


def state_in(whole: Mapping[str, Any], path: Path, key: str | None = None) -> dict[str, Tensor]:
    """The state dict in the file's content, as `read_state` gives it. Raises CheckpointError."""
    content = weights_in(whole, path) if key is None else weights_under(key, whole, path)
    state = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    check_tensors(state, path, sum(file.stat().st_size for file in files_of(path)))
    if not state:
        raise CheckpointError("holds no tensors", where=str(path), do="Give a state dict.")
    prefixed = all(name.startswith("module.") for name in state)
    return {name.removeprefix("module.") if prefixed else name: value for name, value in state.items()}


INDEX = ".index.json"
"""The end of the name of a file that lists the several files of one state dict, as safetensors' libraries write it."""


def files_of(path: Path) -> list[Path]:
    """The file itself; of an index, the files that it lists, all of them beside it. Raises CheckpointError."""
    if not path.name.endswith(INDEX):
        return [path]
    listed = json_in(path).get("weight_map")
    names = sorted({str(name) for name in listed.values()}) if isinstance(listed, dict) else []
    if not names:
        raise CheckpointError("lists no files of weights.", where=str(path))
    for name in names:
        if Path(name).name != name or name.endswith(INDEX):
            raise CheckpointError(f"lists {name}, which is not a file beside it.", where=str(path))
        regular(path.parent / name, CheckpointError, do=f"Copy the whole folder: {path.name} lists it.")
    return [path.parent / name for name in names]


def read_untrusted(path: Path, *, allowed: Sequence[type] = ()) -> dict[str, Any]:
    """The content of a torch.save or safetensors file, read without running any code in it. Raises CheckpointError."""
    size = regular(path, CheckpointError)
    if path.name.endswith(INDEX):
        return {name: value for file in files_of(path) for name, value in read_untrusted(file, allowed=allowed).items()}
    try:
        if zipfile.is_zipfile(path):
            check_archive(path, size, CheckpointError)
        if _is_safetensors(path):
            from safetensors.torch import load_file

            return dict(load_file(path))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns about unusual pickles; our error covers this in one line
            with torch.serialization.safe_globals(list(allowed)), path.open("rb") as file:
                content = torch.load(file, map_location="cpu", weights_only=True)
    except CheckpointError:
        raise
    except Exception as error:  # torch raises a dozen unrelated exception types on damaged or hostile files
        raise CheckpointError(_diagnosis(path, error), where=str(path)) from None
    if isinstance(content, list | tuple) and (listed := numbered(content)):
        return listed
    if not isinstance(content, dict):
        raise CheckpointError(f"holds a {type(content).__name__}, not a checkpoint", where=str(path))
    return content


def _is_safetensors(path: Path) -> bool:
    """By content, and by the name if it is neither an archive nor a pickle: files are saved under each other's
    names."""
    with path.open("rb") as file:
        start = file.read(9)
    if start[8:] == b"{" and int.from_bytes(start[:8], "little") <= path.stat().st_size - 8:
        return True  # asked first: the length of a header may look like the start of a pickle
    return path.suffix == ".safetensors" and start[:2] != b"PK" and start[:1] != b"\x80"


OTHER = {
    b"GGUF": "is a GGUF file.", b"\x89HDF": "is an HDF5 file, as Keras writes them.",
    b"\x08": "is not a torch checkpoint, perhaps ONNX.", b"version https://git-lfs": "is a Git LFS pointer; get the "
    "file itself by `git lfs pull`.", b"<": "is a web page or XML, not a checkpoint.",
    b"\x1f\x8b": "is compressed by gzip; unpack it first.",
}  # fmt: skip
"""What other files begin with."""


def damaged(path: Path) -> str | None:
    """The first record of a torch.save archive whose CRC-32 does not match its bytes: torch reads it silently."""
    try:
        if not zipfile.is_zipfile(path):
            return None
        with zipfile.ZipFile(path) as archive:
            return archive.testzip()
    except (zipfile.BadZipFile, OSError, RuntimeError, ValueError, zlib.error):  # any of its headers may be invalid
        return "the archive's table of contents"


HARMLESS = (argparse.Namespace, pathlib.PosixPath, datetime.datetime, datetime.date, datetime.timedelta)
"""Classes of plain values that scripts store beside the weights: opening these runs no code."""


def _pickled(path: Path, text: str) -> str:
    """An error that names the class, and the command that extracts only the weights: a safe one if all classes are
    harmless, otherwise one for a file that is trusted."""
    named = re.search(r"GLOBAL ([\w.]+)", text)
    held = f"a pickled {named[1]}" if named else "pickled objects other than tensors"
    if (safe := _safely(path)) is not None:
        return f'holds {held}, so it was not loaded. This saves its weights without running code: python -c "{safe}"'
    arrays = "numpy" in held and "_reconstruct" in held
    weights = "m['KEY OF THE WEIGHTS'] if isinstance(m, dict) else m.state_dict()"
    tensors = "{name: torch.as_tensor(value) for name, value in c.items()}"
    model = "" if arrays else "m = c if isinstance(c, (dict, torch.nn.Module)) else c.model; "
    command = (
        f"import torch; c = torch.load('{path.name}', weights_only=False); {model}"
        f"torch.save({tensors if arrays else weights}, 'weights.pt')"
    )
    return (
        f"holds {held}, which can run code; it was not loaded. Save a state dict, or convert it if you trust it: "
        f'python -c "{command}"'
    )


def _safely(path: Path) -> str | None:
    """The command that saves only the weights of a file whose classes are all harmless; None for any other."""
    try:
        named = torch.serialization.get_unsafe_globals_in_checkpoint(path)
        used = [kind for kind in HARMLESS if f"{kind.__module__}.{kind.__qualname__}" in named]
        if not used or len(used) != len(named):
            return None
        key = key_of_weights(read_untrusted(path, allowed=used), path)
    except Exception:  # no one set of weights; or as in `read_untrusted`, whose error is being described
        return None
    modules = ", ".join(sorted({"torch", *(kind.__module__ for kind in used)}))
    classes = ", ".join(f"{kind.__module__}.{kind.__qualname__}" for kind in used)
    return (
        f"import {modules}; torch.serialization.add_safe_globals([{classes}]); "
        f"torch.save(torch.load('{path.name}', weights_only=True){key}, 'weights.pt')"
    )


def _diagnosis(path: Path, error: Exception) -> str:
    text = str(error)
    if path.stat().st_size == 0:
        return "is empty."
    with path.open("rb") as file:
        begins = file.read(24)
    start = begins[:4]
    if other := next((said for magic, said in OTHER.items() if len(magic) > 1 and begins.startswith(magic)), ""):
        return other  # asked first: pointers and web pages are saved under the names of safetensors files
    if _is_safetensors(path):
        return f"is not a valid safetensors file: {next(iter(text.splitlines()), 'damaged')[:200]}"
    if start == b"PK\x03\x04" and (not zipfile.is_zipfile(path) or damaged(path)):
        return "is truncated or damaged. Copy it again."
    # A pickle of any protocol since 2003, bare or in an archive; torch also calls every other file unsafe.
    pickled = start == b"PK\x03\x04" or start[:1] == b"\x80"
    if pickled and ("Weights only load failed" in text or "weights_only" in text or "Unsupported" in text):
        return _pickled(path, text)
    if start == b"PK\x03\x04" and (found := _by_entries(path)):
        return found
    unknown = "is not a torch checkpoint: no .pt, .pth or .safetensors."
    return next((said for magic, said in OTHER.items() if begins.startswith(magic)), unknown)


def _by_entries(path: Path) -> str:
    """What an archive that torch does not read is, by the names of its entries; empty if they do not tell."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if names and all(name.endswith(".npy") for name in names):
        command = f"torch.save({{n: torch.as_tensor(v) for n, v in np.load('{path.name}').items()}}, 'weights.pt')"
        return f'holds arrays of NumPy. Convert it: python -c "import numpy as np, torch; {command}"'
    if any("exported_program" in name or "/models/" in name for name in names):
        return "is a torch.export program. Give --recipe RECIPE.toml and --trust-code, or save a state dict."
    return ""
