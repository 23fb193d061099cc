"""Weight files, read without running code in them, and their digests."""

from __future__ import annotations

import hashlib
import re
import warnings
import zipfile
import zlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from audit.models.tensors import check_tensors
from audit.storage.bounded import check_archive, regular
from probes.errors import CheckpointError, did_you_mean


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
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def read_state(path: Path, *, allowed: Sequence[type] = (), key: str | None = None) -> dict[str, Tensor]:
    """A state dict from a .pt, .pth, .th or .safetensors file: bare, under a key, or under the given `key`; 'module.'
    prefixes are removed.

    Raises CheckpointError. Never unpickles code; `allowed` are harmless classes that may be stored beside the weights.
    """
    whole = read_untrusted(path, allowed=allowed)
    content = weights_in(whole, path) if key is None else _under(key, whole, path)
    state = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    check_tensors(state, path, path.stat().st_size)
    if not state:
        raise CheckpointError("holds no tensors", where=str(path), do="Give a state dict.")
    prefixed = all(name.startswith("module.") for name in state)
    return {name.removeprefix("module.") if prefixed else name: value for name, value in state.items()}


def _under(key: str, content: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    found: Any = content.get(key)
    if not _tensors(found):
        flat = weights_in(content, path)
        inner = {name.removeprefix(f"{key}."): value for name, value in flat.items() if str(name).startswith(f"{key}.")}
        if _tensors(inner):
            return inner
        held = [*(str(name) for name, value in content.items() if _tensors(value)), *_averaged(flat)]
        raise CheckpointError(f"holds no weights under {key!r}. {did_you_mean(key, held)}", where=str(path))
    weights: Mapping[str, Any] = found
    return weights


USUAL = ("state_dict", "model", "model_state_dict", "model_state", "net", "network", "weights", "params", "module")
BESIDE = re.compile(r"optim|sched|scaler|ema|average|teacher|hyper|args|config", re.IGNORECASE)
"""Keys that are stored beside weights: optimizer states, and averages of the weights, which are other models."""


def weights_in(content: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    """The state dict in a training script's file: the content itself, or the entry under one of its keys.

    Raises CheckpointError, naming the keys, if the choice is ambiguous.
    """
    if any(isinstance(value, Tensor) and "." in str(name) for name, value in content.items()):
        return content
    nested: dict[str, Mapping[str, Any]] = {str(name): value for name, value in content.items() if _tensors(value)}
    for name in USUAL:
        if name in nested:
            return nested[name]
    likely = {name: value for name, value in nested.items() if not BESIDE.search(name)}
    if len(likely) == 1:
        return next(iter(likely.values()))
    if len(likely) > 1:
        raise CheckpointError(
            f"holds weights under {' and '.join(map(repr, sorted(likely)))}.",
            where=str(path),
            do="Save only the state dict of the audited model.",
        )
    inner = [value for name, value in content.items() if isinstance(value, Mapping) and not BESIDE.search(str(name))]
    found = [value for value in inner if any(map(_tensors, value.values()))]
    return weights_in(found[0], path) if len(found) == 1 else content


AVERAGED = re.compile(r"(?<![a-z])(ema|swa)|(ema|swa)(?![a-z])|average", re.IGNORECASE)


def averages_in(content: Mapping[str, Any]) -> list[str]:
    """Keys of averaged weights (EMA, SWA) stored beside the weights."""
    return [str(name) for name, value in content.items() if AVERAGED.search(str(name)) and _tensors(value)]


def averages_among(found: Mapping[str, Tensor], used: Collection[str]) -> list[str]:
    """Prefixes of averaged weights stored among the weights, as saved by a wrapper that holds both models.

    >>> averages_among({"model.fc": torch.zeros(1), "ema_model.fc": torch.zeros(1)}, {"fc"})
    ['ema_model']
    """
    own = {name.partition(".")[0] for name in used}
    return [prefix for prefix in _averaged(found) if prefix not in own]


def _averaged(state: Mapping[str, Any]) -> list[str]:
    prefixes = dict.fromkeys(str(name).partition(".")[0] for name in state if "." in str(name))
    return [prefix for prefix in prefixes if AVERAGED.search(prefix)]


def _tensors(value: object) -> bool:
    return isinstance(value, Mapping) and any(isinstance(one, Tensor) for one in value.values())


def read_untrusted(path: Path, *, allowed: Sequence[type] = ()) -> dict[str, Any]:
    """The content of a torch.save or safetensors file, read without running any code in it. Raises CheckpointError."""
    size = regular(path, CheckpointError)
    try:
        if zipfile.is_zipfile(path):
            check_archive(path, size, CheckpointError)
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return dict(load_file(path))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns about unusual pickles; our error covers this in one line
            with torch.serialization.safe_globals(list(allowed)):
                content = torch.load(path, map_location="cpu", weights_only=True)
    except CheckpointError:
        raise
    except Exception as error:  # torch raises a dozen unrelated exception types on damaged or hostile files
        raise CheckpointError(_diagnosis(path, error), where=str(path)) from None
    if not isinstance(content, dict):
        raise CheckpointError(f"holds a {type(content).__name__}, not a checkpoint", where=str(path))
    return content


def damaged(path: Path) -> str | None:
    """The first record of a torch.save archive whose CRC-32 does not match its bytes: torch reads it silently."""
    try:
        if not zipfile.is_zipfile(path):
            return None
        with zipfile.ZipFile(path) as archive:
            return archive.testzip()
    except (zipfile.BadZipFile, OSError, RuntimeError, ValueError, zlib.error):  # any of its headers may be invalid
        return "the archive's table of contents"


def _pickled(path: Path, text: str) -> str:
    """An error that names the class, and the command that extracts only the weights if the file is trusted."""
    named = re.search(r"GLOBAL ([\w.]+)", text)
    held = f"a pickled {named[1]}" if named else "pickled objects other than tensors"
    arrays = "numpy" in held and "_reconstruct" in held
    weights = "getattr(c, 'state_dict', lambda: c['KEY OF THE WEIGHTS'])()"
    tensors = "{name: torch.as_tensor(value) for name, value in c.items()}"
    command = (
        f"import torch; c = torch.load('{path.name}', weights_only=False); "
        f"torch.save({tensors if arrays else weights}, 'weights.pt')"
    )
    return (
        f"holds {held}, which can run code; it was not loaded. Save a state dict, or convert it if you trust it: "
        f'python -c "{command}"'
    )


def _diagnosis(path: Path, error: Exception) -> str:
    text = str(error)
    if path.stat().st_size == 0:
        return "is empty."
    with path.open("rb") as file:
        start = file.read(4)
    if start == b"PK\x03\x04" and (not zipfile.is_zipfile(path) or damaged(path)):
        return "is truncated or damaged. Copy it again."
    # A pickle of any protocol since 2003, bare or in an archive; torch also calls every other file unsafe.
    pickled = start == b"PK\x03\x04" or start[:1] == b"\x80"
    if pickled and ("Weights only load failed" in text or "weights_only" in text or "Unsupported" in text):
        return _pickled(path, text)
    return "is not a torch checkpoint."
