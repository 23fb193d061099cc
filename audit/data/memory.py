"""Arrays passed by a program: a recipe can name them, but cannot load them again."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from audit.data.dataset import Dataset
from audit.data.section import DataSection
from probes.errors import DataError


class Memory(DataSection):
    kind: Literal["memory"] = "memory"

    def read(self, root: Path, *, trust_code: bool) -> Dataset:
        """Raises DataError, always."""
        raise DataError("was in the memory of a program.", where="data", do="Give the arrays to audit.run again.")
