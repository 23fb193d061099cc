"""All that a model of the population is made of, but its row: recipe, source weights, data, pool and seed."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from audit.data.dataset import Dataset
from audit.preprocess import preprocess
from audit.randomness import torch_seed
from audit.recipe import Recipe, TransferSection
from audit.source import Source
from audit.transfer import Trainee, begin
from probes.plan import Pool, Row


@dataclass(frozen=True, kw_only=True, eq=False)
class Experiment:
    recipe: Recipe
    source: Source
    dataset: Dataset
    pool: Pool
    seed: int

    @cached_property
    def inputs(self) -> Tensor:
        """Preprocessed samples of the whole target data set, sample axis first."""
        return preprocess(self.dataset.inputs, self.recipe.input, self.dataset.modality)

    @cached_property
    def labels(self) -> Tensor:
        return torch.from_numpy(self.dataset.labels)

    def targets(self, row: Row) -> Tensor:
        """The labels this row trains on."""
        return self.labels if row.targets is None else torch.from_numpy(row.targets)

    def begin(self, row: Row) -> Trainee:
        """θ_s under the new head of the row's order."""
        section = TransferSection(mode="features") if row.transfer == "features" else self.recipe.transfer
        seed = torch_seed(self.seed, "initial", row.order)
        classes = len(self.dataset.classes)
        return begin(self.source, section, classes, seed=seed, scratch=row.start == "scratch")

    def audited_row(self) -> Row:
        """The audited model is a replica whose mask is the truth."""
        return Row(design="audited", repeat=0, fold=0, order="audited", keep=self.pool.member)

    def with_recipe(self, recipe: Recipe) -> Experiment:
        return dataclasses.replace(self, recipe=recipe)
