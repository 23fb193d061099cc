"""How to audit, as opposed to what: only `seed`, `budget` and `stop_early` may change a number."""

from __future__ import annotations

import datetime
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from audit.config.recipe import RecipeFile
from audit.storage.folders import named_path
from reports.gate.registration import Registration
from reports.report import Report

if TYPE_CHECKING:
    from audit.storage.store import Store

Language = Literal["en", "zh"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """`workers = 0` uses every core; relative data paths start at `data_root`, if the data has moved. `remote` is the
    URL of a store that machines share, of which `store` holds copies. `baseline` is an earlier audit to compare with;
    `budget` is in seconds of training; `address` is that of a running Ray cluster. `registration` is what was fixed
    before the run; `today` is the day on which waivers are judged. `trainer` is `file.py:function`; a replica of it
    that takes longer than `replica_timeout` seconds is considered to hang (None: two hours)."""

    store: Path
    remote: str | None = None
    seed: int | None = None
    workers: int = 0
    reference: Path | None = None
    baseline: Report | None = None
    recipe: RecipeFile | None = None
    data_root: Path | None = None
    trust_code: bool = False
    budget: float | None = None
    stop_early: bool = False
    executor: Literal["processes", "ray"] = "processes"
    address: str | None = None
    registration: Registration | None = None
    today: datetime.date | None = None
    trainer: str | None = None
    replica_timeout: float | None = None
    predictions: Path | None = None
    weights: str | None = None
    """The key of the audited weights in a file from elsewhere, if it holds several sets."""
    tried: Path | None = None
    """Predictions of all models that were tried before the audited one was chosen."""
    base: Path | None = None
    """What the training of a model in a folder started from."""

    def opened_store(self) -> Store:
        """The store of replicas and of observations of models."""
        # Imported here, because it imports torch, and a gate reads settings without it.
        from audit.storage.remote import Remote
        from audit.storage.store import Store

        return Store(self.store, Remote(self.remote) if self.remote else None)


def place_of(store: str | Path | None) -> tuple[Path, str | None]:
    """The folder of a store, and its URL if it was given as one: then the folder, in the user's cache, holds copies.

    >>> place_of("replicas")
    (PosixPath('replicas'), None)
    """
    if store is None or "://" not in str(store):
        return default_store() if store is None else named_path(store), None
    return default_store() / "remote" / hashlib.sha256(os.fsencode(str(store))).hexdigest()[:16], str(store)


def default_store() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "transfer-audit"
