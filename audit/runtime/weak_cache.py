"""Results that are kept for as long as what they were computed from."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar
from weakref import WeakKeyDictionary

Key = TypeVar("Key")
Value = TypeVar("Value")


def weakly_cached(function: Callable[[Key], Value]) -> Callable[[Key], Value]:
    """Like `functools.cache`, for one argument that is compared by identity or equality and is not kept alive.

    >>> class Network: ...
    >>> sizes = []
    >>> size = weakly_cached(lambda network: sizes.append(network) or len(sizes))
    >>> one = Network()
    >>> size(one), size(one)
    (1, 1)
    """
    known: WeakKeyDictionary[Key, Value] = WeakKeyDictionary()

    @wraps(function)
    def cached(key: Key) -> Value:
        if key not in known:
            known[key] = function(key)
        return known[key]

    return cached
