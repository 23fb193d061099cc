"""How to audit, as against what: nothing here but `seed` may change a number."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Settings:
    """`workers = 0` takes every core; `data_root` is where relative data paths start, if the data has moved."""

    store: Path
    seed: int | None = None
    workers: int = 0
    reference: Path | None = None
    recipe: Path | None = None
    data_root: Path | None = None
    trust_code: bool = False
