"""The key of what is kept: a digest of everything that determines it."""

from __future__ import annotations

import hashlib
import json


def content_key(described: object, *more: bytes) -> str:
    """sha256 (hex) of what JSON can hold, whatever the order of its keys, followed by `more`.

    >>> content_key({"a": 1, "b": 2}) == content_key({"b": 2, "a": 1})
    True
    """
    digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
    for part in more:
        digest.update(part)
    return digest.hexdigest()
