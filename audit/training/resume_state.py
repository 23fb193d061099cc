"""The state of a training run after each epoch, so that an interrupted run resumes and ends with the same weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import torch
from torch import Tensor

from audit.storage.atomic import replacing


class Best(TypedDict):
    """The epoch chosen by validation so far, and its weights."""

    epoch: int
    network: dict[str, Tensor]


class State(TypedDict):
    """Everything that the next epoch depends on; seeds depend only on the epoch's number."""

    epoch: int
    stale: int
    history: list[dict[str, float]]
    sizes: list[int]
    best: Best | None
    network: Mapping[str, Tensor]
    objective: Mapping[str, Tensor]
    optimizer: Mapping[str, object]


class Kept(TypedDict):
    """What the file holds."""

    identity: str
    run: State


@dataclass(frozen=True)
class Keeper:
    """One file; `identity` says which run it belongs to, and the state of any other run is ignored."""

    path: Path
    identity: str

    def load(self) -> State | None:
        """None if there is nothing to resume from: then the run starts from the beginning."""
        if not self.path.is_file():
            return None
        try:
            kept: Kept = torch.load(self.path, map_location="cpu", weights_only=True)
            return kept["run"] if kept["identity"] == self.identity else None
        except Exception:  # another program's file or a damaged disk: only time is lost
            return None

    def save(self, state: State) -> None:
        """Written completely or not at all. Raises OSError."""
        with replacing(self.path) as temporary:
            torch.save({"identity": self.identity, "run": state}, temporary)

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
