"""Replicas between runs: what a name stands for is decided by its content, and what exists is complete."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from audit.experiment import Experiment
from probes.errors import StoreError
from probes.evidence import Answers
from probes.plan import Row

CODE_VERSION = 1
"""Raised whenever training or answers change in any bit: entries of older code are not found any more."""

ANSWERS = ("log_prob", "margin", "entropy", "modified_entropy", "confidence", "predicted")


@dataclass(frozen=True, kw_only=True, eq=False)
class Replica:
    """One trained row: its answers (one model) and, where they were kept, the weights that differ from θ_s."""

    answers: Answers
    state: Mapping[str, Tensor]


def key_of(experiment: Experiment, row: Row, *, with_state: bool) -> str:
    """What a replica is: recipe, data, source weights, kept samples, targets, order, start, seed, code version."""
    digest = hashlib.sha256()
    recipe = experiment.recipe.model_dump(mode="json", exclude={"name", "split", "seed"})
    described = {
        "code": CODE_VERSION,
        "recipe": recipe,
        "data": experiment.dataset.fingerprint,
        "source": experiment.source.digest,
        "seed": experiment.seed,
        "order": row.order,
        "start": row.start,
        "transfer": row.transfer,
        "state": with_state,
    }
    digest.update(json.dumps(described, sort_keys=True).encode())
    for mask in (row.keep, experiment.pool.member | experiment.pool.held_out, experiment.pool.validation):
        digest.update(np.packbits(mask).tobytes())
    if row.targets is not None:
        digest.update(np.ascontiguousarray(row.targets).tobytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class Store:
    """A folder of safetensors files, each beside its sha256 in its name's first line. Runs may share it: entries are
    written under a temporary name, flushed to the disk and renamed; two runs that train the same write the same."""

    folder: Path

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.safetensors"

    def get(self, key: str) -> Replica | None:
        """None where there is no such entry, or where it is damaged: then it is removed, to be trained again."""
        path = self._path(key)
        if not path.exists():
            return None
        try:
            tensors = load_file(path)
            checksum = bytes(tensors.pop("checksum").tolist()).hex()
            if checksum != _checksum(tensors):
                raise SafetensorError("checksum differs")
            arrays = {name: tensors.pop(f"answers.{name}").numpy() for name in ANSWERS}
        except (SafetensorError, KeyError, OSError, ValueError):
            path.unlink(missing_ok=True)
            return None
        state = {name.removeprefix("state."): tensor for name, tensor in tensors.items()}
        return Replica(answers=Answers(**arrays), state=state)

    def put(self, key: str, replica: Replica) -> None:
        """Raises StoreError where the disk is full or the folder cannot be written."""
        tensors = {f"answers.{name}": torch.from_numpy(getattr(replica.answers, name)) for name in ANSWERS}
        tensors |= {f"state.{name}": tensor.detach().contiguous() for name, tensor in replica.state.items()}
        tensors["checksum"] = torch.tensor(list(bytes.fromhex(_checksum(tensors))), dtype=torch.uint8)
        path = self._path(key)
        temporary = path.with_name(f".{key}.{os.getpid()}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            save_file(tensors, temporary)
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
        except (OSError, SafetensorError) as error:
            full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
            full = full or "No space left" in str(error)
            raise StoreError(
                "the disk is full." if full else f"cannot be written: {error}.",
                where=str(self.folder),
                do="Free space or choose another --store; what is trained is kept.",
            ) from None
        finally:
            temporary.unlink(missing_ok=True)

    def entries(self) -> Iterator[Path]:
        """All complete entries."""
        yield from sorted(self.folder.glob("??/*.safetensors"))

    def prune(self, keep_bytes: int) -> int:
        """Remove the entries least recently written until `keep_bytes` remain; returns how many went."""
        entries = sorted(self.entries(), key=lambda path: path.stat().st_mtime, reverse=True)
        total, removed = 0, 0
        for path in entries:
            total += path.stat().st_size
            if total > keep_bytes:
                path.unlink(missing_ok=True)
                removed += 1
        return removed


def _checksum(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        array = tensors[name].contiguous().numpy()
        digest.update(f"{name}{array.dtype.str}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
