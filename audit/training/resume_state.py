"""The state of a training run after each epoch, so that a killed run goes on to the same final weights."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch


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
        """Written whole under a temporary name, then renamed."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        try:
            torch.save({"identity": self.identity, "run": state}, temporary)
            temporary.replace(self.path)
        finally:
            temporary.unlink(missing_ok=True)

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
