"""Everything that determines a model of the population, except its row: recipe, source weights, data, pool and seed."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from audit.config.recipe import Recipe, TransferSection
from audit.data.dataset import Dataset
from audit.models.families.base import is_published, package_of
from audit.models.memory_layout import to_channels_last
from audit.models.source import Source
from audit.runtime.randomness import torch_seed
from audit.storage.code_digest import digest_packages
from audit.storage.content_key import content_key
from audit.storage.function_digest import digest_factory
from audit.trainers.base import Trainer
from audit.training.augmentation import Augment, augmentation
from audit.training.canaries import Planted
from audit.training.preprocessing import preprocess
from audit.training.test_time_views import permitted, view
from audit.training.transfer_modes import Trainee, as_handed_over, begin
from probes.errors import RecipeError
from probes.plan import Pool, Row
from reports.report import Json


@dataclass(frozen=True, kw_only=True, eq=False)
class Experiment:
    """`other_domain` is what `[align]` names; `planted` are the canaries, which are in no part of the pool. `device` is
    where training runs; it is not part of the recipe. `chosen` says why `transfer = "auto"` chose its mode."""

    recipe: Recipe
    source: Source
    dataset: Dataset
    pool: Pool
    seed: int
    other_domain: Dataset | None = None
    planted: Planted | None = None
    device: str = "cpu"
    chosen: Mapping[str, Json] = field(default_factory=dict)
    trainer: Trainer | None = None
    """What trains replicas, if not the recipe: the recipe then only describes the data and the model."""

    @cached_property
    def inputs(self) -> Tensor:
        """Preprocessed samples of the whole target data set, sample axis first."""
        return preprocess(self.dataset.inputs, self.recipe.input, self.dataset.modality)

    @property
    def factories(self) -> list[str]:
        """Digests of the code that builds the network, which the recipe only names."""
        named = (self.recipe.source.model, self.recipe.head.factory)
        # A published model's code belongs to a library, whose version is recorded other_inputs.
        return [name if is_published(name) else digest_factory(name, self.source.folder) for name in named if name]

    @property
    def queries(self) -> tuple[str, ...]:
        """The queries to models in addition to each sample itself. A trainer may return a model that only answers on
        samples."""
        if self.trainer is not None:
            return ()
        return permitted(self.recipe, self.dataset.modality)

    @property
    def views(self) -> list[Callable[[Tensor], Tensor]]:
        """What turns a batch of inputs into what a model is asked: the samples themselves, then each query's view."""
        return [_itself, *(functools.partial(view, query=query) for query in self.queries)]

    @cached_property
    def other_inputs(self) -> Tensor:
        """Preprocessed samples of the other domain."""
        if self.other_domain is None:
            raise RecipeError("the other domain's data was not loaded", where="[align]")
        return preprocess(self.other_domain.inputs, self.recipe.input, self.other_domain.modality)

    @cached_property
    def labels(self) -> Tensor:
        return torch.from_numpy(self.dataset.labels)

    def targets(self, row: Row) -> Tensor:
        """The labels this row trains on."""
        return self.labels if row.targets is None else torch.from_numpy(row.targets)

    def augmentation(self) -> Augment | None:
        if self.recipe.augment and self.dataset.modality != "image":
            raise RecipeError(f"augments images, the data is {self.dataset.modality}.", where="augment")
        return augmentation(self.recipe.augment, self.recipe.input)

    def begin(self, row: Row) -> Trainee:
        """θ_s with the new head of the row's order; for a trainer's models, only the architecture."""
        if self.trainer is not None:
            return as_handed_over(self.source.network(0), self.recipe.head.name)
        trainee = self._begun(row)
        if self.channels_last:
            trainee.network.to(memory_format=torch.channels_last)
        return trainee

    @cached_property
    def head(self) -> str:
        """The name of the classifier in the networks."""
        return self.begin(self.audited_row()).head

    @cached_property
    def architecture(self) -> str | None:
        """sha256 (hex) of everything that determines the networks except their weights; None if it cannot be known
        without building one, because a trainer, a factory or files determine it."""
        package = package_of(self.recipe.source)
        if package is None or self.trainer is not None or self.recipe.head.factory or self.source.loads:
            return None
        described = {
            "code": digest_packages("audit.models", "audit.training"),
            "versions": [package, torch.__version__],
            "recipe": self.recipe.model_dump(mode="json", exclude={"name", "split", "seed", "data"}),
            "source": [self.source.classes, self.source.head, self.source.state is None],
            "classes": len(self.dataset.classes),
            "device": self.device,
        }
        return content_key(described)

    @cached_property
    def channels_last(self) -> bool:
        """Whether networks are trained with their images in channels-last order, in which convolutions are up to 1.6
        times as fast on a CPU. Engines cannot choose this: another order in memory sums in another order, and training
        amplifies differences in the last bits."""
        if self.device != "cpu" or self.recipe.privacy:
            return False
        row = dataclasses.replace(
            self.audited_row(), transfer="features"
        )  # `transfer = "auto"` may not be resolved yet
        return to_channels_last(self._begun(row).network, self.inputs[:2])

    def _begun(self, row: Row) -> Trainee:
        section = TransferSection(mode="features") if row.transfer == "features" else self.recipe.transfer
        return begin(
            self.source,
            section,
            len(self.dataset.classes),
            seed=torch_seed(self.seed, "initial", row.order),
            scratch=row.start == "scratch",
            head=self.recipe.head,
            privacy=self.recipe.privacy,
        )

    def audited_row(self) -> Row:
        """The audited model as a replica whose mask is the truth (and the only one that trains on canaries)."""
        row = Row(design="audited", repeat=0, fold=0, order="audited", keep=self.pool.member)
        return row if self.planted is None else self.planted.into(row, self.dataset.labels)

    def with_recipe(self, recipe: Recipe) -> Experiment:
        return dataclasses.replace(self, recipe=recipe)


def _itself(batch: Tensor) -> Tensor:
    return batch
