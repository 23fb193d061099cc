"""`audit.cache`."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from audit.config.run_settings import place_of
from audit.storage.store import Store, writer
from probes.errors import InputError

MIB, DAY = 2**20, 86_400


@dataclass(frozen=True, kw_only=True)
class Cached:
    """What a store of replicas holds on this machine.

    folder   where they lie
    remote   the URL of the store of which these are the copies here; None for a store of this machine
    entries  how many are left
    mib      their size in MiB
    removed  how many were removed just now
    oldest   days since the least recently used entry was written or read; None without entries
    other    how many entries other versions of transfer-audit or torch wrote, which this one may not use
    damaged  how many entries are damaged in a way that their headers show, such as a cut end: they are trained again
             when they are needed
    asked    how many replicas all runs so far looked up here
    found    how many of them were here
    """

    folder: Path
    remote: str | None
    entries: int
    mib: float
    removed: int
    oldest: float | None
    other: int
    damaged: int
    asked: int
    found: int


def cache(store: str | Path | None = None, *, keep: int | None = None) -> Cached:
    """What the store of replicas holds on this machine; with `keep`, entries are removed first.

    store  a folder, or the URL of a shared store: then the copies of it on this machine; else the store in the user's
           cache
    keep   MiB that are left, at least 0: damaged entries go first, then those of other versions, then the least
           recently used; without it nothing is removed

    Returns folder, number, size and age of what is left, and how often it served. Raises InputError for a negative
    `keep`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     cache(folder, keep=0).entries
    0
    """
    if keep is not None and keep < 0:
        raise InputError(f"{keep} is less than 0.", where="keep", do="Give MiB to be left.")
    folder, remote = place_of(store)
    if folder.exists() and not folder.is_dir():
        raise InputError("is not a folder.", where=str(folder), do="Give the folder of a store.")
    kept = Store(folder)
    removed = 0 if keep is None else kept.prune(keep * MIB)
    entries = list(kept.entries())
    size = sum(entry.size for entry in entries) / MIB
    writers, lookups = Counter(entry.writer for entry in entries), kept.lookups()
    return Cached(
        folder=folder,
        remote=remote,
        entries=len(entries),
        mib=size,
        removed=removed,
        oldest=(time.time() - min(entry.used for entry in entries)) / DAY if entries else None,
        other=len(entries) - writers[writer()] - writers[None],
        damaged=writers[None],
        asked=lookups.asked,
        found=lookups.found,
    )
