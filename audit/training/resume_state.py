"""The state of a training run after each epoch, so that a killed run goes on to the same final weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from audit.storage.atomic import replacing


@dataclass(frozen=True)
class Keeper:
    """One file; `identity` says what run it is of, and the state of any other run is not taken up."""

    path: Path
    identity: str

    def load(self) -> dict[str, Any] | None:
        """None where there is nothing that could be gone on from: then the run begins anew."""
        if not self.path.is_file():
            return None
        try:
            state: dict[str, Any] = torch.load(self.path, map_location="cpu", weights_only=True)
            return state["run"] if state["identity"] == self.identity else None
        except Exception:  # a file of another program or a damaged disk: nothing is lost but time
            return None

    def save(self, state: dict[str, Any]) -> None:
        """Whole or not at all. Raises OSError."""
        with replacing(self.path) as temporary:
            torch.save({"identity": self.identity, "run": state}, temporary)

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
