"""The recipe of a fine-tuned language model: its data, which rows trained it, and how."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from audit.config.first_mistake import first_mistake
from audit.config.recipe import PrivacySection
from audit.config.section import Section
from audit.config.toml_file import read_toml
from audit.data.kinds import Data
from probes.errors import RecipeError


class Adapter(Section):
    """LoRA (Hu et al. 2022): W x + (alpha / rank) B A x beside every layer whose name ends with one of `targets`."""

    rank: int = Field(default=8, ge=1)
    alpha: float = Field(default=16.0, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout of the layer's input before A."""
    targets: tuple[str, ...] = Field(min_length=1)


class LanguageTraining(Section):
    """How a causal language model is fine-tuned. Without an `adapter`, all weights are trained."""

    epochs: int = Field(default=3, ge=1, le=1_000_000)
    lr: float = Field(default=2e-4, gt=0)
    batch_size: int = Field(default=8, ge=1)
    weight_decay: float = Field(default=0.0, ge=0)
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    warmup: float = Field(default=0.0, ge=0, lt=1)
    """The share of all steps during which the rate rises from zero."""
    clip_norm: float | None = Field(default=1.0, gt=0)
    """The largest norm of the gradient over all trained weights."""
    packing: int | None = Field(default=None, ge=2)
    """Sequences are joined, whole and in an epoch's order, into rows of at most so many tokens; a minibatch has
    `batch_size` of these. Tokens attend to the sequences before theirs in the row."""
    adapter: Adapter | None = None
    privacy: PrivacySection | None = None
    """DP-SGD on the adapter: `clip_norm` of a sequence's gradient, and noise, in place of the one above."""

    @model_validator(mode="after")
    def _protects_sequences(self) -> LanguageTraining:
        if self.packing is not None and self.privacy is not None:
            raise ValueError("packing and privacy exclude each other, because DP-SGD protects a row")
        return self

    def steps(self, samples: int) -> int:
        """The number of steps of a training on this many samples, without packing.

        >>> LanguageTraining(epochs=2, batch_size=8).steps(17)
        6
        """
        return self.epochs * math.ceil(samples / self.batch_size)

    def rate(self, step: int, steps: int) -> float:
        """The factor of the learning rate at a step (from 0) of `steps`.

        >>> LanguageTraining(warmup=0.5).rate(0, 4), LanguageTraining().rate(3, 4)
        (0.5, 0.25)
        """
        rising = self.warmup * steps
        if step < rising:
            return (step + 1) / math.ceil(rising)
        done = (step - rising) / max(1.0, steps - rising)
        if self.schedule == "cosine":
            return 0.5 * (1 + math.cos(math.pi * done))
        return 1 - done if self.schedule == "linear" else 1.0


class LanguageSplit(Section):
    """Which rows of the data trained the model; the others are held out."""

    members: Path | None = None
    """A file of row numbers from 0, one per line, or of true and false, one per row (.txt, .json or .npy)."""
    validation: Path | None = None
    """Rows that belong to neither side."""
    canaries: Path | None = None
    """The secret list that `audit canaries` wrote, where the training held canaries."""


class Benchmarks(Section):
    """Where copies of benchmarks are looked for in the training data."""

    benchmarks: tuple[Path, ...] = ()
    """Files of rows like the data's: .json, .jsonl, .parquet or a folder; the file's name is the benchmark's."""


class Claim(Section):
    """What is claimed of a training that was made elsewhere: (ε, δ)-DP of a sequence."""

    epsilon: float = Field(gt=0)
    delta: float = Field(default=1e-5, gt=0, lt=1)
    accountant: str = "prv"
    searched: int = Field(default=1, ge=1)
    """Trainings on these data of which the model is the one that was chosen, by epochs, rates, seeds or else."""


class LanguageRecipe(Section):
    """What a folder of weights does not state itself. A section may be missing if the command line, the folder or its
    audit record provides it."""

    data: Data | None = None
    split: LanguageSplit = LanguageSplit()
    contamination: Benchmarks = Benchmarks()
    train: LanguageTraining | None = None
    claim: Claim | None = None
    """Else what `train.privacy` gives, where the training had it."""
    loss_on: Literal["answer", "all"] = "answer"
    """Whether the loss included the prompts."""
    general: Path | None = None
    """Texts on which fine-tuning should have cost nothing, one per line; default: thirty built-in English sentences."""
    max_length: int | None = Field(default=None, ge=2)
    """Length of a training sequence in tokens, if shorter than the model's context."""


def read_language_recipe(path: Path) -> LanguageRecipe:
    """Raises RecipeError with the key that is wrong."""
    return language_recipe_of(read_toml(path, RecipeError), str(path))


def language_recipe_of(content: Mapping[str, Any], where: str) -> LanguageRecipe:
    """Raises RecipeError with the key that is wrong."""
    try:
        return LanguageRecipe.model_validate(dict(content))
    except ValidationError as error:
        raise RecipeError(first_mistake(error, LanguageRecipe, content), where=where) from None
