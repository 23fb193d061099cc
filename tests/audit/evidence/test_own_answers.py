"""A model is asked once: then its answers are in the store, unless something that determines them changed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from audit.checkpoints.audited_model import Audited
from audit.checkpoints.checkpoint import Checkpoint, without_history
from audit.evidence.own_answers import answers_of
from audit.models.families import base
from audit.storage.store import DamagedWarning, Store
from audit.training import experiment as experiments
from audit.training.experiment import Experiment


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the recipe's model were a package's."""
    monkeypatch.setattr(experiments, "package_of", lambda section: "small_networks 1.0")


def opened(experiment: Experiment, shift: float = 0.0) -> Audited:
    state = experiment.begin(experiment.audited_row()).network.state_dict()
    state = {name: value + shift * value.is_floating_point() for name, value in state.items()}
    checkpoint: Checkpoint = without_history(experiment, state, experiment.source.folder, ())
    return Audited(checkpoint=checkpoint, experiment=experiment)


def asked(audited: Audited, store: Store, monkeypatch: pytest.MonkeyPatch) -> tuple[np.ndarray, bool]:
    """Its margins, and whether the network was built for them."""
    built = []
    network = Audited.network
    monkeypatch.setattr(Audited, "network", lambda self: built.append(1) or network(self))
    return answers_of(audited, store).margin, bool(built)


@pytest.mark.usefixtures("published")
def test_it_is_asked_once(experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, experiment = Store(tmp_path), dataclasses.replace(experiment)
    first, built = asked(opened(experiment), store, monkeypatch)
    again, rebuilt = asked(opened(experiment), store, monkeypatch)
    assert (built, rebuilt) == (True, False)
    np.testing.assert_array_equal(again, first)
    np.testing.assert_array_equal(again, answers_of(opened(experiment)).margin)


@pytest.mark.usefixtures("published")
def test_other_weights_recipes_and_versions_are_asked_anew(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, experiment = Store(tmp_path), dataclasses.replace(experiment)
    before, _ = asked(opened(experiment), store, monkeypatch)
    other, built = asked(opened(experiment, shift=0.01), store, monkeypatch)
    assert built
    assert not np.array_equal(other, before)
    recipe = experiment.recipe.model_copy(update={"input": experiment.recipe.input.model_copy(update={"std": (2.0,)})})
    assert asked(opened(experiment.with_recipe(recipe)), store, monkeypatch)[1]
    monkeypatch.setattr(experiments, "package_of", lambda section: "small_networks 1.1")
    assert asked(opened(dataclasses.replace(experiment)), store, monkeypatch)[1]


@pytest.mark.usefixtures("published")
def test_a_damaged_entry_is_asked_anew(experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, experiment = Store(tmp_path), dataclasses.replace(experiment)
    first, _ = asked(opened(experiment), store, monkeypatch)
    (entry,) = store.entries()
    entry.path.write_bytes(entry.path.read_bytes()[:-8])
    with pytest.warns(DamagedWarning, match="the model is asked again"):
        again, built = asked(opened(experiment), store, monkeypatch)
    assert built
    np.testing.assert_array_equal(again, first)


def test_a_users_code_may_do_anything_so_its_network_is_built_each_time(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert experiment.architecture is None
    for _ in range(2):
        assert asked(opened(experiment), Store(tmp_path), monkeypatch)[1]
    assert list(Store(tmp_path).entries()) == []


@pytest.mark.parametrize(("model", "named"), [("torchvision:resnet18", "torchvision "), ("nets:small", None)])
def test_a_package_with_a_version_determines_its_networks(
    experiment: Experiment, model: str, named: str | None
) -> None:
    package = base.package_of(experiment.recipe.source.model_copy(update={"model": model}))
    assert (package is None) if named is None else str(package).startswith(named)
