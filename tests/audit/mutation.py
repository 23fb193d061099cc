"""Seeded changes of files: of the values in a tree, and of the bytes."""

import copy
import random
from typing import Any

import torch

STRANGE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 10**30, -(2**63), float("nan"), float("inf"), 1e308, 1e-300, "", "text", "nan", "=1",
    "\x1b[2J\u202e\n::error::x", "x" * 100_000, [], [1], [[]], {}, {"a": 1}, [None] * 3,
)  # fmt: skip


def places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value of a tree of dicts and lists."""
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [place for key, value in inner for place in ((*path, key), *places(value, (*path, key)))]


def changed(tree: Any, rng: random.Random) -> Any:
    """A copy with one value gone, doubled, of another type, or nested."""
    whole = copy.deepcopy(tree)
    *parents, last = rng.choice(places(whole))
    part = whole
    for key in parents:
        part = part[key]
    kind = rng.randrange(6)
    if kind == 0:
        del part[last]
    elif kind == 1 and isinstance(part, list):
        part.insert(last, part[last])
    elif kind == 2:
        part[last] = [part[last]]
    elif kind == 3 and isinstance(part[last], torch.Tensor):
        part[last] = rng.choice([part[last].double(), part[last][:0], part[last].flatten()[:1].expand(10**9)])
    else:
        part[last] = rng.choice(STRANGE)
    return whole


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Bits turned, bytes cut out, put in or doubled, or the end cut off."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8))):
        at = rng.randrange(max(1, len(data)))
        kind = rng.randrange(5)
        if kind == 0 and data:
            data[at % len(data)] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del data[at : at + rng.randrange(1, 64)]
        elif kind == 2:
            data[at:at] = rng.randbytes(rng.randrange(1, 16))
        elif kind == 3:
            data[at:at] = data[at : at + 256]
        else:
            del data[at:]
    return bytes(data)
