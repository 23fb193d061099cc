"""One root seed, named streams: adding a stream does not change another stream's numbers."""

import contextlib
import hashlib
import os
import threading
from collections.abc import Iterator

import numpy as np

_global_generator = threading.RLock()
if hasattr(os, "register_at_fork"):  # a thread that holds it does not exist in the child
    os.register_at_fork(after_in_child=_global_generator._at_fork_reinit)  # type: ignore[attr-defined]


def _words(path: tuple[str | int, ...]) -> list[int]:
    digest = hashlib.sha256("\x1f".join(map(str, path)).encode()).digest()
    return [int.from_bytes(digest[i : i + 4], "little") for i in range(0, 32, 4)]


def stream(seed: int, *path: str | int) -> np.random.Generator:
    """The generator with this name, derived from the root seed."""
    return np.random.default_rng(np.random.SeedSequence([seed, *_words(path)]))


def torch_seed(seed: int, *path: str | int) -> int:
    """A seed for torch generators with this name, derived from the root seed."""
    return int(stream(seed, *path).integers(2**63))


@contextlib.contextmanager
def drawing(seed: int | None = None) -> Iterator[None]:
    """For code that draws from torch's global generator, as a new layer does: the block begins at `seed` (None: where
    the generator stands) and leaves the generator as it was. One thread at a time, because batches of replicas that
    start on threads would otherwise take each other's numbers."""
    import torch

    with _global_generator, torch.random.fork_rng(devices=[]):
        if seed is not None:
            torch.manual_seed(seed)
        yield
