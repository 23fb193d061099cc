"""From a recipe to a fine-tuned model: load, train the source if requested, fine-tune."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

from torch import Tensor, nn

from audit.config.recipe import HeadSection, Recipe, RegulariseSection, SourceSection, TrainSection, TransferSection
from audit.data import moved
from audit.data.dataset import Dataset
from audit.data.split import first_left, split, unlearnt
from audit.models.head import classes_of, find_head
from audit.models.prefixes import under_names
from audit.models.source import Source, averages_beside, build, identified, loaded_by_code, pretrained
from audit.runtime.devices import device
from audit.runtime.randomness import drawing, stream, torch_seed
from audit.runtime.threads import threads
from audit.runtime.versions import versions
from audit.storage.content_key import content_key
from audit.training.canaries import plant
from audit.training.experiment import Experiment
from audit.training.loop import Trained, fine_tune
from audit.training.network_fit import check_fit
from audit.training.preprocessing import resolve
from audit.training.resume_state import Keeper
from audit.training.thread_count import threads_for
from probes.errors import RecipeError
from probes.message import Message
from probes.plan import Pool

COLOURS = 3
Progress = Callable[[str, int, int, Mapping[str, float]], None]
"""Called with (stage, epoch, epochs, record) after each epoch."""


def prepare(
    recipe: Recipe,
    folder: Path,
    *,
    trust_code: bool = False,
    progress: Progress | None = None,
    out: Path | None = None,
    data_root: Path | None = None,
) -> Experiment:
    """Everything but the fine-tuning itself: data, split and θ_s (trained here if the recipe says so; with `out`, that
    stage's state is also kept beside it). Paths are relative to `folder`; data that has moved is below `data_root`."""
    dataset = moved.load(recipe.data, folder, data_root, trust_code=trust_code)
    recipe, dataset = with_channels(recipe, dataset, folder, trust_code=trust_code)
    pool = split(
        dataset, recipe.split, stream(recipe.seed, "split"), moved.holder(recipe.split.file, folder, data_root)
    )
    shifted = first_left(pool) if recipe.split.file is not None else []
    said = [*unlearnt(pool, dataset.classes), *shifted, *averages_beside(recipe.source, folder)]
    dataset = dataclasses.replace(dataset, notes=(*dataset.notes, *said))
    check_choice(recipe.train, pool)
    planted = None
    if recipe.canaries:
        pool, planted = plant(pool, len(dataset.classes), recipe.canaries, stream(recipe.seed, "canaries"))
    known = {"input": resolve(recipe, dataset, pool, folder), "source": identified(recipe.source, folder)}
    recipe = recipe.model_copy(update=known)
    experiment = Experiment(
        recipe=recipe,
        source=source_of(recipe, folder, trust_code=trust_code, progress=progress, out=out, data_root=data_root),
        dataset=dataset,
        pool=pool,
        seed=recipe.seed,
        other_domain=moved.load(recipe.align.data, folder, data_root, trust_code=trust_code) if recipe.align else None,
        planted=planted,
        device=device(),
    )
    check_fit(experiment)
    return experiment


def with_channels(recipe: Recipe, dataset: Dataset, folder: Path, *, trust_code: bool) -> tuple[Recipe, Dataset]:
    """Greyscale images are repeated to the three channels of the network's first convolution, unless the recipe sets
    the number of channels."""
    if dataset.modality != "image" or dataset.inputs.shape[-1] != 1 or recipe.input.channels is not None:
        return recipe, dataset
    with drawing():
        network = build(recipe.source, folder, trust_code=trust_code)
    first = next((module for module in network.modules() if isinstance(module, nn.Conv2d)), None)
    if first is None or first.in_channels != COLOURS:
        return recipe, dataset
    note = Message("audit.data-grey", {"channels": first.in_channels})
    section = recipe.input.model_copy(update={"channels": first.in_channels})
    return recipe.model_copy(update={"input": section}), dataclasses.replace(dataset, notes=(*dataset.notes, note))


def check_choice(train: TrainSection, pool: Pool) -> None:
    """Raises RecipeError if an epoch must be chosen without validation samples."""
    if train.by_validation and not pool.validation.any():
        raise RecipeError(
            "early stopping and the best epoch need validation samples, but the split has none.",
            where="[split]",
            do="Add `validation` to the split's file, or more samples.",
        )


def source_of(
    recipe: Recipe,
    folder: Path,
    *,
    trust_code: bool,
    progress: Progress | None,
    out: Path | None = None,
    data_root: Path | None = None,
) -> Source:
    section = recipe.source
    if section.training is not None:
        return _train_source(recipe, section, folder, trust_code, progress, out, data_root)
    with drawing():
        network = build(section, folder, trust_code=trust_code)
    state = pretrained(section, folder)
    own = loaded_by_code(section, folder, trust_code=trust_code)
    head = find_head(network, recipe.head.name)
    own = {name: value for name, value in own.items() if not name.startswith(f"{head}.")}
    if state is None and own:
        state = own
    if state is not None:
        state = under_names(state, network.state_dict())
    weight = state.get(f"{head}.weight") if state else None
    classes = section.classes or (len(weight) if weight is not None else classes_of(network.get_submodule(head)))
    return Source(
        section=section,
        classes=classes,
        state=state,
        trust_code=trust_code,
        folder=folder,
        head=recipe.head.name,
        loads=tuple(own),
    )


def _train_source(
    recipe: Recipe,
    section: SourceSection,
    folder: Path,
    trust_code: bool,
    progress: Progress | None,
    out: Path | None,
    data_root: Path | None = None,
) -> Source:
    """Stage one: the same loop on the source task, from random weights."""
    training = section.training
    assert training is not None
    dataset = moved.load(training.data, folder, data_root, trust_code=trust_code)
    blank = Source(
        section=section,
        classes=len(dataset.classes),
        state=None,
        trust_code=trust_code,
        folder=folder,
        head=recipe.head.name,
    )
    plain = {
        "train": training.train,
        "transfer": TransferSection(mode="parameters"),
        "regularise": RegulariseSection(),
        "head": HeadSection(name=recipe.head.name),
        "align": None,
        "privacy": None,
        "canaries": 0,
    }
    stage = Experiment(
        recipe=recipe.model_copy(update=plain),
        source=blank,
        dataset=dataset,
        pool=split(
            dataset,
            training.split,
            stream(recipe.seed, "source", "split"),
            moved.holder(training.split.file, folder, data_root),
        ),
        # A separate stream: with the same seed, the target's new head would start exactly where the source's did, with
        # which this body was trained. No replica's head does, so the audited model would differ from all of them.
        seed=torch_seed(recipe.seed, "source"),
        device=device(),
    )
    check_choice(training.train, stage.pool)
    check_fit(stage)
    trained = run(stage, "source", progress, None if out is None else keeper_of(stage, out, "source"))
    state: dict[str, Tensor] = {name: value.detach().clone() for name, value in trained.network.state_dict().items()}
    return dataclasses.replace(blank, state=state)


def run(experiment: Experiment, stage: str, progress: Progress | None, keeper: Keeper | None = None) -> Trained:
    """Train the audited row of an experiment, calling `progress` after each epoch."""
    epochs = experiment.recipe.train.epochs

    def on_epoch(epoch: int, record: dict[str, float]) -> None:
        if progress:
            progress(stage, epoch + 1, epochs, record)

    with threads(threads_for(experiment)):
        return fine_tune(experiment, experiment.audited_row(), on_epoch, keeper)


def keeper_of(experiment: Experiment, out: Path, stage: str) -> Keeper:
    """Where this stage's state is kept, and the identity of its run: bits also depend on versions and threads."""
    described = {
        "recipe": experiment.recipe.model_dump(mode="json", exclude={"name"}),
        "data": experiment.dataset.fingerprint,
        "source": experiment.source.digest,
        "factories": experiment.factories,
        "versions": versions(),
        "threads": threads_for(experiment),
        "device": experiment.device,
    }
    return Keeper(_kept(out, stage), content_key(described))


def _kept(out: Path, stage: str) -> Path:
    return out.with_name(f".{out.name}.{stage}.state")
