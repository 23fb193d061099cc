"""The validator of checkpoints: what a checkpoint may hold, each part with its type and its range.

Types say what is expected; what a type cannot say (indices within the samples, an epoch of the history) is checked
afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from torch import Tensor

from audit.models.tensors import check_tensors
from probes.errors import CheckpointError
from reports.plain import must_be_plain

FORMAT = "transfer-audit/1"
MOST_CLASSES = 1_000_000


def _vector(kind: Literal["index", "number", "truth"]) -> BeforeValidator:
    """A tensor of one axis: int64 from 0, floating-point, or bool."""

    def check(value: object) -> Tensor:
        if not isinstance(value, Tensor) or value.ndim != 1 or value.layout != torch.strided:
            raise ValueError("is not a tensor with one axis")
        # An expanded view of one number would make billions of samples from a file of a few kilobytes.
        if value.device.type != "cpu" or value.numel() * value.element_size() > value.untyped_storage().nbytes():
            raise ValueError("has more elements than the file stores")
        if kind == "number" and not value.is_floating_point():
            raise ValueError(f"is {value.dtype}, not floating-point")
        if kind == "truth" and value.dtype != torch.bool:
            raise ValueError(f"is {value.dtype}, not bool")
        if kind == "index" and (value.dtype != torch.int64 or (len(value) and int(value.min()) < 0)):
            raise ValueError("holds values that are not indices from 0")
        return value

    return BeforeValidator(check)


Indices = Annotated[Any, _vector("index")]
Numbers = Annotated[Any, _vector("number")]
Truths = Annotated[Any, _vector("truth")]
Name = Annotated[str, Field(max_length=10_000)]
Digest = Annotated[str, Field(pattern=r"^([0-9a-f]{64}|none)$")]
Share = Annotated[float, Field(ge=0, le=1)]


def _tensors(value: object) -> Mapping[str, Tensor]:
    if not isinstance(value, Mapping):
        raise ValueError("is not a state dict")
    if odd := next(
        (name for name, one in value.items() if not isinstance(name, str) or not isinstance(one, Tensor)), None
    ):
        raise ValueError(f"{str(odd)[:60]} is not a named tensor")
    return value


State = Annotated[Any, BeforeValidator(_tensors)]


class StoredPart(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True)


class DataPart(StoredPart):
    classes: Annotated[list[Name], Field(min_length=2, max_length=MOST_CLASSES)]
    fingerprint: Digest


class SplitPart(StoredPart):
    member: Indices
    held_out: Indices
    validation: Indices


class SourcePart(StoredPart):
    classes: Annotated[int, Field(ge=1, le=MOST_CLASSES)]
    state_dict: State | None
    digest: Digest


class TracePart(StoredPart):
    train_loss: Numbers
    train_accuracy: Numbers
    validation_loss: Numbers
    validation_accuracy: Numbers

    @model_validator(mode="after")
    def _equally_long(self) -> TracePart:
        if len({len(getattr(self, name)) for name in type(self).model_fields}) > 1 or not len(self.train_loss):
            raise ValueError("its columns have different lengths, or there are none")
        return self


class ClaimPart(StoredPart):
    epsilon: Annotated[float, Field(ge=0)]
    delta: Share
    accountant: Name
    searched: Annotated[int, Field(ge=1, le=10**9)] = 1


class AccountingPart(StoredPart):
    noise_multiplier: Annotated[float, Field(gt=0, le=1e6)]
    clip_norm: Annotated[float, Field(gt=0, le=1e12)]
    sample_rate: Annotated[float, Field(gt=0, le=1)]
    steps: Annotated[int, Field(ge=1, le=10**9)]
    delta: Annotated[float, Field(gt=0, lt=1)]
    accountant: Literal["prv", "rdp"]
    epsilon_prv: Annotated[float, Field(ge=0)]
    epsilon_rdp: Annotated[float, Field(ge=0)]


class CanaryPart(StoredPart):
    samples: Indices
    labels: Indices
    included: Truths

    @model_validator(mode="after")
    def _equally_long(self) -> CanaryPart:
        if len({len(self.samples), len(self.labels), len(self.included)}) > 1:
            raise ValueError("its columns have different lengths")
        return self


class Contents(StoredPart):
    """A checkpoint as torch.save wrote it."""

    format: Literal["transfer-audit/1"]
    state_dict: State
    digest: Digest
    recipe: dict[str, Any]
    folder: Annotated[str, Field(max_length=4096)]
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    data: DataPart
    split: SplitPart
    source: SourcePart
    trace: TracePart | None
    epoch: Annotated[int, Field(ge=1)] | None
    chosen: dict[str, Any]
    privacy: ClaimPart | None
    accounting: AccountingPart | None
    canaries: CanaryPart | None
    environment: Annotated[dict[Name, Name], Field(max_length=1000)]

    @model_validator(mode="after")
    def _agree(self) -> Contents:
        epochs = 0 if self.trace is None else len(self.trace.train_loss)
        if self.trace is not None and self.epoch is not None and self.epoch > epochs:
            raise ValueError(f"epoch {self.epoch} of a history of {epochs}")
        if not len(self.split.member) or not len(self.split.held_out):
            raise ValueError("its split has no members or no held-out samples")
        last = -1 if self.canaries is None else max(self.canaries.labels.tolist(), default=-1)
        if last >= len(self.data.classes):
            raise ValueError(f"a canary has label {last} of {len(self.data.classes)} classes")
        return self


def validated(content: Mapping[str, object], path: Path, size: int) -> Contents:
    """The parts of a file of `size` bytes. Raises CheckpointError with the first that is wrong."""
    for name in ("recipe", "chosen", "environment", "data"):
        must_be_plain(content.get(name), str(path), CheckpointError)
    try:
        whole = Contents.model_validate(dict(content))
    except ValidationError as error:
        mistake = error.errors(include_url=False, include_input=False)[0]
        part = ".".join(str(one) for one in mistake["loc"][:4])
        said = mistake["msg"].removeprefix("Value error, ")
        raise CheckpointError(
            f"lacks a part or holds a wrong one: {part + ': ' if part else ''}{said}", where=str(path)
        ) from None
    check_tensors(whole.state_dict, path, size)
    if whole.source.state_dict is not None:
        check_tensors(whole.source.state_dict, path, size)
    return whole
