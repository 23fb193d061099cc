"""From a recipe to a fine-tuned model: load, train the source where asked, fine-tune."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from audit.data.split import split
from audit.experiment import Experiment
from audit.head import classes_of, find_head
from audit.randomness import stream
from audit.recipe import Recipe, RegulariseSection, SourceSection, TransferSection
from audit.source import Source, build, read_state
from audit.train import Trained, fine_tune

Progress = Callable[[str, int, int, Mapping[str, float]], None]
"""(stage, epoch, epochs, record) after each epoch."""


def prepare(recipe: Recipe, folder: Path, *, trust_code: bool = False, progress: Progress | None = None) -> Experiment:
    """Everything but the fine-tuning itself: data, split and θ_s (trained here where the recipe says so)."""
    dataset = recipe.data.load(folder)
    pool = split(dataset, recipe.split, stream(recipe.seed, "split"))
    source = source_of(recipe, folder, trust_code=trust_code, progress=progress)
    return Experiment(recipe=recipe, source=source, dataset=dataset, pool=pool, seed=recipe.seed)


def source_of(recipe: Recipe, folder: Path, *, trust_code: bool, progress: Progress | None) -> Source:
    section = recipe.source
    if section.training is not None:
        return _train_source(recipe, section, folder, trust_code, progress)
    if section.weights is None:
        with torch.random.fork_rng(devices=[]):
            network = build(section, folder, trust_code=trust_code)
        classes = section.classes or classes_of(network.get_submodule(find_head(network)))
        return Source(section=section, classes=classes, state=None, trust_code=trust_code, folder=folder)
    state = _weights(section, folder)
    with torch.random.fork_rng(devices=[]):
        network = build(section, folder, trust_code=trust_code)
    head = find_head(network)
    weight = state.get(f"{head}.weight")
    classes = section.classes or (len(weight) if weight is not None else classes_of(network.get_submodule(head)))
    return Source(section=section, classes=classes, state=state, trust_code=trust_code, folder=folder)


def _weights(section: SourceSection, folder: Path) -> Mapping[str, Tensor]:
    assert section.weights is not None
    path = folder / section.weights
    if path.suffix or path.exists():
        return read_state(path)
    from torchvision import models

    name = section.model.removeprefix("torchvision:")
    weights = models.get_weight(f"{models.get_model_weights(name).__name__}.{section.weights}")
    state: Mapping[str, Tensor] = weights.get_state_dict(progress=False)
    return state


def _train_source(
    recipe: Recipe, section: SourceSection, folder: Path, trust_code: bool, progress: Progress | None
) -> Source:
    """Stage one: the same loop on the source task, from random weights."""
    training = section.training
    assert training is not None
    dataset = training.data.load(folder)
    blank = Source(section=section, classes=len(dataset.classes), state=None, trust_code=trust_code, folder=folder)
    stage = Experiment(
        recipe=recipe.model_copy(
            update={
                "train": training.train,
                "transfer": TransferSection(mode="parameters"),
                "regularise": RegulariseSection(),
            }
        ),
        source=blank,
        dataset=dataset,
        pool=split(dataset, training.split, stream(recipe.seed, "source", "split")),
        seed=recipe.seed,
    )
    trained = run(stage, "source", progress)
    state = {name: value.detach().clone() for name, value in trained.network.state_dict().items()}
    return Source(section=section, classes=len(dataset.classes), state=state, trust_code=trust_code, folder=folder)


def run(experiment: Experiment, stage: str, progress: Progress | None) -> Trained:
    """Train the audited row of an experiment, telling `progress` each epoch."""
    epochs = experiment.recipe.train.epochs

    def on_epoch(epoch: int, record: dict[str, float]) -> None:
        if progress:
            progress(stage, epoch + 1, epochs, record)

    return fine_tune(experiment, experiment.audited_row(), on_epoch)
