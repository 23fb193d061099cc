"""The state of a training run after each epoch, so that a killed run goes on to the same final weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict, cast

import torch
from torch import Tensor

from audit.storage.atomic import replacing


class Best(TypedDict):
    """The epoch that validation chose so far, and its weights."""

    epoch: int
    network: dict[str, Tensor]


class State(TypedDict):
    """All that the next epoch of a run depends on; seeds depend on the epoch's number alone."""

    epoch: int
    stale: int
    history: list[dict[str, float]]
    sizes: list[int]
    best: Best | None
    network: Mapping[str, Tensor]
    objective: Mapping[str, Any]
    optimizer: Mapping[str, Any]


@dataclass(frozen=True)
class Keeper:
    """One file; `identity` says what run it is of, and the state of any other run is not taken up."""

    path: Path
    identity: str

    def load(self) -> State | None:
        """None where there is nothing that could be gone on from: then the run begins anew."""
        if not self.path.is_file():
            return None
        try:
            kept: dict[str, Any] = torch.load(self.path, map_location="cpu", weights_only=True)
            return cast("State", kept["run"]) if kept["identity"] == self.identity else None
        except Exception:  # a file of another program or a damaged disk: nothing is lost but time
            return None

    def save(self, state: State) -> None:
        """Whole or not at all. Raises OSError."""
        with replacing(self.path) as temporary:
            torch.save({"identity": self.identity, "run": state}, temporary)

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
