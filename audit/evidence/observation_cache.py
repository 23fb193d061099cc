"""Observations of models, kept between runs under the digest of everything that determines them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from audit.models import graph_rewrite, memory_layout
from audit.models.weight_files import digest_state
from audit.storage.code_digest import digest_code
from audit.storage.content_key import content_key
from audit.storage.store import Store, as_tensor, from_tensor
from probes.measures import randomise
from probes.message import Text, decoded, encoded
from probes.observable import Observable, Observation, Role

PREFIX, LIMITS = "seen.", "limits"
PREPARING = graph_rewrite.__name__, memory_layout.__name__, randomise.__name__
"""Modules that change a network before it is observed."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Sight:
    """One observable applied to one model: everything that determines the observation.

    `identity` determines the model: its architecture and weights; `source` is where it came from. `inputs` and `labels`
    are those of `chosen`."""

    observable: Observable
    role: Role
    same_labels: bool
    modality: str
    identity: tuple[str, ...]
    source: str
    chosen: Int[np.ndarray, " chosen"]
    inputs: Shaped[Tensor, "chosen ..."]
    labels: Int[Tensor, " chosen"]
    seed: int

    def key(self) -> str:
        described = {
            "code": [_code(module) for module in (*_modules(self.observable), *PREPARING)],
            "versions": [_version(name) for name in ("torch", "captum", "numpy")],
            "device": str(self.inputs.device),
            "threads": torch.get_num_threads(),
            "observable": [type(self.observable).__qualname__, repr(self.observable)],
            "model": [*self.identity, self.source, self.role, self.same_labels],
            "data": [self.modality, digest_state({"inputs": self.inputs, "labels": self.labels}), self.chosen.tolist()],
            "seed": self.seed,
        }
        return content_key(described)


def recall(store: Store, key: str, chosen: Int[np.ndarray, " chosen"]) -> tuple[Observation, Sequence[Text]] | None:
    """The observation, and what could not be prepared then; None if nothing was kept."""
    tensors = store.read(key, again="it is observed again", needs=[LIMITS])
    if tensors is None:
        return None
    arrays = {name.removeprefix(PREFIX): tensor.numpy() for name, tensor in tensors.items() if name.startswith(PREFIX)}
    limits = [decoded(one) for one in from_tensor(tensors[LIMITS])]
    return Observation(samples=chosen, arrays=arrays), limits


def keep(store: Store, key: str, seen: Observation, limits: Sequence[Text]) -> None:
    """Raises StoreError if the disk is full or the folder cannot be written."""
    arrays = {name: np.require(array, requirements=["C", "W"]) for name, array in seen.arrays.items()}
    tensors = {f"{PREFIX}{name}": torch.from_numpy(array) for name, array in arrays.items()}
    store.write(key, {**tensors, LIMITS: as_tensor([encoded(one) for one in limits])})


@cache
def _code(module: str) -> str:
    """A digest of the code: an edit of any file that the module imports invalidates old observations, also where
    another distribution's observable builds on ours."""
    return digest_code(module, "probes")


def _modules(observable: Observable) -> list[str]:
    """The observable's modules, and those of the parts that it was given (families of shortcuts), which it does not
    import."""
    found = [type(observable).__module__]
    for field in dataclasses.fields(observable):  # type: ignore[arg-type]  # a dataclass by contract
        value = getattr(observable, field.name)
        found += (
            [type(one).__module__ for one in value if dataclasses.is_dataclass(one)] if isinstance(value, tuple) else []
        )
    return list(dict.fromkeys(found))


@cache
def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"
