"""One root seed, named streams: adding a stream does not change another stream's numbers."""

import hashlib

import numpy as np


def _words(path: tuple[str | int, ...]) -> list[int]:
    digest = hashlib.sha256("\x1f".join(map(str, path)).encode()).digest()
    return [int.from_bytes(digest[i : i + 4], "little") for i in range(0, 32, 4)]


def stream(seed: int, *path: str | int) -> np.random.Generator:
    """The generator with this name, derived from the root seed."""
    return np.random.default_rng(np.random.SeedSequence([seed, *_words(path)]))


def torch_seed(seed: int, *path: str | int) -> int:
    """A seed for torch generators with this name, derived from the root seed."""
    return int(stream(seed, *path).integers(2**63))
