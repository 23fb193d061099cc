"""A language model before and after fine-tuning: everything that determines its replicas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Int64
from torch import nn

from audit.config.language_recipe import Adapter, LanguageTraining
from audit.data.ablations import Ablations
from audit.data.insertions import Insertion
from audit.data.sequences import together
from audit.models.weight_files import digest_state
from audit.storage.content_key import content_key
from audit.trainers.language_trainer import LanguageTrainer
from probes.evidence import PrivacyClaim
from probes.plan import Pool, Row, Seeds

CODE_VERSION = 1
"""Increased whenever training or answers change in any bit, so that entries of older code are no longer found."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PlantedTexts:
    """Canaries as token ids: which of them were in the training data, how often each occurs if it was, and texts drawn
    in the same way that were in no training data."""

    inputs: Int64[np.ndarray, "canaries 2 length"]
    included: Bool[np.ndarray, " canaries"]
    copies: Int64[np.ndarray, " canaries"]
    references: Int64[np.ndarray, "references 2 other_length"]

    @property
    def trained(self) -> Int64[np.ndarray, "rows 2 length"]:
        """The canaries in the audited model's training data, repeated as often as they occurred."""
        return self.inputs[np.repeat(np.arange(len(self.copies)), np.where(self.included, self.copies, 0))]


@dataclass(frozen=True, kw_only=True, eq=False)
class BenchmarkTexts:
    """Samples of another file, as texts and as token ids."""

    prompts: tuple[str, ...]
    answers: tuple[str, ...]
    inputs: Int64[np.ndarray, "samples 2 length"]


@dataclass(frozen=True, kw_only=True, eq=False)
class LanguageTask:
    """A language model before and after fine-tuning, how it was fine-tuned, and on what.

    `training` is None if `trainer` fine-tunes, the user's own. `base` and `audited` are in eval mode. `lower` and
    `prefixed` are the same answers lower-cased, and after a prefix of non-members, as token ids; `general` are texts
    that are not part of the data; `ablations` are held-out prompts with another word in a
    word's place; each may be missing.
    """

    base: nn.Module
    audited: nn.Module
    training: LanguageTraining | None
    inputs: Int64[np.ndarray, "samples 2 length"]
    prompts: tuple[str, ...]
    answers: tuple[str, ...]
    pool: Pool
    group_names: tuple[str, ...] = ()
    """Of the owners in `pool.groups`."""
    lower: Int64[np.ndarray, "samples 2 other_length"] | None = None
    prefixed: Int64[np.ndarray, "samples 2 third_length"] | None = None
    general: Int64[np.ndarray, "texts 2 fourth_length"] | None = None
    benchmarks: Mapping[str, BenchmarkTexts] = field(default_factory=dict)
    insertions: tuple[Insertion, ...] = ()
    ablations: Ablations | None = None
    claim: PrivacyClaim | None = None
    planted: PlantedTexts | None = None
    """Texts of the audited training that are in no part of the pool: replicas train without them."""
    trainer: LanguageTrainer | None = None

    @property
    def adapter(self) -> Adapter | None:
        """Which layers get adapters, where the recipe trains these alone."""
        return None if self.training is None else self.training.adapter

    def queries(self, row: Row) -> Int64[np.ndarray, "queries 2 any_length"]:
        """All that a row's replica is asked about: the samples, and for the noise floor of explanations the prompts
        with other words."""
        if row.design != Seeds.name or self.ablations is None:
            return self.inputs
        return together(self.inputs, self.ablations.inputs)

    @cached_property
    def digest(self) -> str:
        """sha256 over everything that determines a replica except its row: base, training, tokens, code and
        versions."""
        device = str(next(self.base.parameters()).device)
        how = self.training.model_dump(mode="json") if self.training else ""
        how = self.trainer.trainer.digest if self.trainer else how
        described = [CODE_VERSION, torch.__version__, device, how]
        return content_key(
            described,
            digest_state(self.base.state_dict()).encode(),
            f"{self.inputs.shape}".encode(),
            np.ascontiguousarray(self.inputs).tobytes(),
        )
