"""Replicas kept between runs: keys are derived from content, and existing entries are complete."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save
from torch import Tensor

from audit.storage.atomic import private_folder, replacing, why_not_written
from audit.storage.bounded import read_text
from audit.storage.remote import Remote
from probes.answers import Answers
from probes.errors import InputError, StoreError
from probes.json_text import parsed

WRITERS = 8


ANSWERS = ("log_prob", "margin", "entropy", "modified_entropy", "confidence", "predicted")
QUERIED = ("query_margin", "query_correct")
"""Answers of models to further queries."""
WRITER, RECORD, MOST_RECORD = "writer", "lookups.txt", 1 << 24
"""The entry of a file's metadata that names its writer; the file of lookups, and its largest size in bytes."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Replica:
    """One trained row: its answers (one model) and, if they were kept, the weights that differ from θ_s."""

    answers: Answers
    state: Mapping[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A complete file of the store; `size` in bytes, `used` in seconds since 1970: when it was written or last read.
    `writer` names the versions that wrote it: empty if the file does not say, None if it is damaged in a way that its
    header shows, such as a cut end."""

    key: str
    path: Path
    size: int
    used: float

    @property
    def writer(self) -> str | None:
        try:
            with safe_open(self.path, "pt") as file:
                return str((file.metadata() or {}).get(WRITER, ""))
        except SafetensorError:
            return None
        except OSError:  # removed meanwhile, or not readable for this user
            return ""


@dataclass(frozen=True, kw_only=True)
class Lookups:
    """How many replicas runs have asked this store for, and how many it had."""

    asked: int = 0
    found: int = 0


class DamagedWarning(UserWarning):
    """An entry's content is not what was written; the message says which."""


@dataclass(frozen=True)
class Store:
    """A folder of safetensors files, each with a checksum of its content. Runs may share it: entries are written
    under a temporary name, flushed to the disk and renamed; two runs that train the same replica write the same
    content.

    With a `remote`, machines share its entries: they are written to both, and fetched if this folder lacks them."""

    folder: Path
    remote: Remote | None = None

    def _path(self, key: str) -> Path:
        return self.folder / _name(key)

    def holds(self, key: str) -> bool:
        """Whether there is such an entry, complete or not."""
        return self._path(key).exists() or (self.remote is not None and self.remote.holds(_name(key)))

    def fetch(self, keys: Iterable[str]) -> None:
        """Fetch entries that this folder lacks from the remote, many at once; does nothing without a remote. Raises
        StoreError."""
        if self.remote is None:
            return
        missing = [key for key in dict.fromkeys(keys) if not self._path(key).exists()]
        with ThreadPoolExecutor(WRITERS) as readers:
            list(readers.map(self._fetched, missing))

    def _fetched(self, key: str) -> bool:
        return self.remote is not None and self.remote.fetch(_name(key), self._path(key))

    def share(self, keys: Iterable[str]) -> None:
        """Upload entries of this folder that the remote lacks, or has in part because this machine was killed while it
        wrote them; does nothing without a remote. Raises StoreError."""
        with ThreadPoolExecutor(WRITERS) as writers:
            list(writers.map(self._shared, dict.fromkeys(keys)))

    def _shared(self, key: str) -> None:
        path = self._path(key)
        if self.remote is not None and path.exists() and self.remote.size(_name(key)) != path.stat().st_size:
            self.remote.put(_name(key), path)

    def read(self, key: str, *, again: str, needs: Sequence[str] = ()) -> dict[str, Tensor] | None:
        """The entry's tensors. None if there is no such entry, or if it is damaged or lacks what it `needs`: then a
        DamagedWarning says so and what happens `again`, and the entry is removed. Raises StoreError if it cannot be
        read, which is not damage."""
        path = self._path(key)
        if path.exists() and (tensors := self._read(key, again, needs)) is not None:
            return tensors
        if not self._fetched(key):
            return None
        if (tensors := self._read(key, again, needs)) is None and self.remote is not None:
            self.remote.remove(_name(key))
        return tensors

    def _read(self, key: str, again: str, needs: Sequence[str]) -> dict[str, Tensor] | None:
        """Read from this folder."""
        path = self._path(key)
        try:
            tensors = load(_content(path))
            checksum = bytes(tensors.pop("checksum").tolist()).hex()
            if checksum != _checksum(key, tensors):
                raise SafetensorError("checksum differs")
            if lacking := set(needs) - set(tensors):
                raise SafetensorError(f"lacks {min(lacking)}")
            with contextlib.suppress(OSError):  # a store that can only be read
                os.utime(path)
        except FileNotFoundError:  # pruned meanwhile
            return None
        except (SafetensorError, KeyError, ValueError) as error:
            warnings.warn(f"{path}: damaged ({error}); {again}.", DamagedWarning, stacklevel=4)
            with contextlib.suppress(OSError):  # it is rewritten, or the failure to do so is reported
                path.unlink()
            return None
        except OSError as error:
            raise StoreError(
                f"cannot be read: {error.strerror or error}.",
                where=str(path),
                do="Check it, or choose another --store.",
            ) from None
        return tensors

    def get(self, key: str) -> Replica | None:
        """None if there is no such entry, or if it is damaged: it must be trained again."""
        needs = [f"answers.{name}" for name in ANSWERS]
        tensors = self.read(key, again="it is trained again", needs=needs)
        if tensors is None:
            return None
        asked = [name for name in QUERIED if f"answers.{name}" in tensors]
        arrays = {name: tensors.pop(f"answers.{name}").numpy() for name in (*ANSWERS, *asked)}
        state = {name.removeprefix("state."): tensor for name, tensor in tensors.items()}
        return Replica(answers=Answers(**arrays), state=state)

    def put(self, key: str, replica: Replica) -> None:
        """Raises StoreError if the disk is full or the folder cannot be written."""
        self.write(key, _tensors(replica))

    def write(self, key: str, tensors: Mapping[str, Tensor]) -> None:
        """Raises StoreError if the disk is full or the folder cannot be written."""
        self._write(key, _serialised(key, tensors))

    def _write(self, key: str, content: bytes) -> None:
        path = self._path(key)
        try:
            with replacing(path) as temporary:
                temporary.write_bytes(content)
        except OSError as error:
            raise StoreError(
                why_not_written(error),
                where=str(self.folder),
                do="Free space or choose another --store; finished replicas are kept.",
            ) from None
        if self.remote is not None:
            self.remote.put(_name(key), path)

    def put_all(self, replicas: Sequence[tuple[str, Replica]]) -> None:
        """As `put`, waiting for the disk concurrently. Contents are serialised one after another, because threads that
        take turns in Python code take three times the CPU time."""
        with ThreadPoolExecutor(WRITERS) as writers:
            contents = ((key, _serialised(key, _tensors(replica))) for key, replica in replicas)
            list(writers.map(lambda entry: self._write(*entry), contents))

    def entries(self) -> Iterator[Entry]:
        """All complete entries, by key."""
        for path in sorted(self.folder.glob("??/*.safetensors")):
            with contextlib.suppress(OSError):  # another run may prune meanwhile
                status = path.stat()
                yield Entry(key=path.stem, path=path, size=status.st_size, used=status.st_mtime)

    def prune(self, keep_bytes: int) -> int:
        """Remove entries until `keep_bytes` remain, first those that are damaged, then those of other versions, then
        the least recently used; returns the number removed. Raises StoreError if one cannot be removed."""

        def worth(entry: Entry) -> tuple[bool, bool, float]:
            by = entry.writer
            return by is not None, by == writer(), entry.used

        total, removed = 0, 0
        for entry in sorted(self.entries(), key=worth, reverse=True):
            total += entry.size
            if total > keep_bytes:
                try:
                    entry.path.unlink(missing_ok=True)
                except OSError as error:
                    raise StoreError(
                        f"cannot be removed: {error.strerror}.",
                        where=str(entry.path),
                        do="Check the folder's permissions.",
                    ) from None
                removed += 1
        return removed

    def note(self, lookups: Lookups) -> None:
        """Add a run's lookups to the record; one line, so that concurrent runs do not mix theirs. Does nothing where
        the folder cannot be written."""
        with contextlib.suppress(OSError):
            private_folder(self.folder)
            record = os.open(self.folder / RECORD, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(record, f"{lookups.asked} {lookups.found}\n".encode())
            finally:
                os.close(record)

    def lookups(self) -> Lookups:
        """The sum over all runs; lines that are damaged do not count."""
        asked = found = 0
        with contextlib.suppress(InputError):
            for line in read_text(self.folder / RECORD, MOST_RECORD, InputError).splitlines():
                if (told := re.fullmatch(r"(\d{1,9}) (\d{1,9})", line)) and int(told[2]) <= int(told[1]):
                    asked, found = asked + int(told[1]), found + int(told[2])
        return Lookups(asked=asked, found=found)


@cache
def writer() -> str:
    """The versions on which every entry written by this process depends."""
    return f"transfer-audit {version('transfer-audit')}, torch {torch.__version__}"


def as_tensor(content: Any) -> Tensor:
    """Anything that JSON can hold, as bytes [n], for an entry of the store.

    >>> from_tensor(as_tensor({"engine": "head"}))
    {'engine': 'head'}
    """
    return torch.frombuffer(bytearray(json.dumps(content).encode()), dtype=torch.uint8)


def from_tensor(tensor: Tensor) -> Any:
    """What `as_tensor` was given."""
    return parsed(tensor.numpy().tobytes())


def _content(path: Path) -> bytes:
    """The file's content, not mapped: where another machine replaced a mapped file, a network file system ends the
    process that reads on. A file that was removed or replaced while it was open is opened once more. Raises OSError,
    FileNotFoundError if it is gone."""
    try:
        return path.read_bytes()
    except OSError as error:
        if error.errno != errno.ESTALE:
            raise
    try:
        return path.read_bytes()
    except OSError as error:
        if error.errno != errno.ESTALE:
            raise
        raise FileNotFoundError(errno.ENOENT, "removed by another machine", str(path)) from None


def _name(key: str) -> str:
    return f"{key[:2]}/{key}.safetensors"


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors, each with its own memory: safetensors does not accept tied weights."""
    seen: set[int] = set()
    found = {}
    for name, tensor in tensors.items():
        place = tensor.untyped_storage().data_ptr()
        found[name] = tensor.clone() if place in seen else tensor
        seen.add(place)
    return found


def _tensors(replica: Replica) -> dict[str, Tensor]:
    asked = [name for name in QUERIED if getattr(replica.answers, name) is not None]
    tensors = {f"answers.{name}": torch.from_numpy(getattr(replica.answers, name)) for name in (*ANSWERS, *asked)}
    return tensors | {f"state.{name}": tensor.detach().contiguous() for name, tensor in replica.state.items()}


def _serialised(key: str, tensors: Mapping[str, Tensor]) -> bytes:
    """A file's content. (`save_file` renames a file of its own, which a killed process would leave behind.)"""
    tensors = _apart(tensors)
    tensors["checksum"] = torch.tensor(list(bytes.fromhex(_checksum(key, tensors))), dtype=torch.uint8)
    return save(tensors, metadata={WRITER: writer()})


def _checksum(key: str, tensors: Mapping[str, Tensor]) -> str:
    """Includes the key: an entry under another key is invalid."""
    digest = hashlib.sha256(key.encode())
    for name in sorted(tensors):
        array = tensors[name].contiguous().numpy()
        digest.update(f"{name}{array.dtype.str}{array.shape}".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
