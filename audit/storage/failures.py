"""Tracebacks of user code: a message is one line, and its traceback is in a file that the line names."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path

from audit.storage.atomic import write
from probes.errors import StoreError, TrainerError


@contextlib.contextmanager
def traces_kept(folder: Path) -> Iterator[None]:
    """Writes the traceback of a passing TrainerError into `folder`/failures, and adds the path to its message."""
    try:
        yield
    except TrainerError as error:
        if not error.trace:
            raise
        trace = error.trace.encode(errors="backslashreplace")  # a message may hold half a surrogate pair
        path = folder / "failures" / f"{hashlib.sha256(trace).hexdigest()[:16]}.txt"
        try:
            write(path, trace.decode())
        except StoreError:  # the message itself matters more
            raise error from None
        do = f"{error.do} Traceback: {path}".strip()
        raise TrainerError(error.what, where=error.where, do=do) from None
