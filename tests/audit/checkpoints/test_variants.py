"""Variants as files, networks and outputs: asked about the audited model's samples, or refused in one line."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from audit.checkpoints.audited_model import Audited
from audit.checkpoints.finetune import to_file
from audit.checkpoints.open_model import open_checkpoint
from audit.checkpoints.variants import variants_of
from audit.config.recipe import parse
from audit.config.run_settings import Settings
from audit.evidence.own_answers import answers_of
from audit.evidence.subjects import observable_models
from audit.population.populate import populate
from audit.results.metadata import describe_model
from audit.storage.store import Store
from probes.errors import CheckpointError, DataError, InputError
from tests.audit.conftest import EXAMPLES, small_recipe


def made(folder: Path, name: str, **changes: object) -> Path:
    path = folder / name
    short = small_recipe(train={"epochs": 1, "lr": 0.05, "batch_size": 50}, **changes)
    to_file(parse(short, "test"), EXAMPLES, path, trust_code=True, progress=lambda *_: None)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model, a distilled one of another width, pruned weights of the model's own network, and outputs."""
    folder = tmp_path_factory.mktemp("release")
    made(folder, "model.pt")
    made(folder, "distilled.pt", source={"model": "small_networks:digits_cnn", "options": {"width": 2}})
    return folder


@pytest.fixture(scope="module")
def audited(folder: Path) -> Audited:
    opened = open_checkpoint(folder / "model.pt", Settings(store=folder / "store", trust_code=True))
    state = {name: value * (value.abs() > 0.01) for name, value in opened.checkpoint.state.items()}
    torch.save(state, folder / "pruned.pth")
    np.savez(folder / "int8.npz", logits=np.round(answers_of(opened).margin.T * np.ones((1, 5)), 1).astype(np.float32))
    return opened


def test_checkpoints_weights_and_outputs_are_asked_about_the_same_samples(folder: Path, audited: Audited) -> None:
    files = [folder / name for name in ("distilled.pt", "pruned.pth", "int8.npz")]
    distilled, pruned, outputs = variants_of(files, audited)
    views = len(audited.experiment.dataset) * (1 + len(audited.experiment.queries))
    assert distilled.logits.shape == pruned.logits.shape == (views, 5)
    assert outputs.logits.shape == (len(audited.experiment.dataset), 5)
    assert outputs.build is None
    assert len({distilled.digest, pruned.digest, outputs.digest}) == 3
    assert [one.name for one in (distilled, pruned, outputs)] == ["distilled", "pruned", "int8"]
    assert not np.allclose(distilled.logits, audited.logits())


def test_the_model_as_its_own_variant_answers_alike_and_is_looked_into(folder: Path, audited: Audited) -> None:
    given = {"Same Model": folder / "model.pt", "in memory": copy.deepcopy(audited.network())}
    same, network = variants_of(given, audited)
    np.testing.assert_array_equal(same.logits, audited.logits())
    np.testing.assert_array_equal(network.logits, audited.logits())
    assert same.name == "same-model"
    beside = dataclasses.replace(audited, variants=(same, network))
    none = populate(audited.experiment, [], store=Store(folder / "store"), workers=1)
    models = observable_models(beside, none, [], Settings(store=folder / "store"), 0)
    assert [one.name for one in models if one.role == "variant"] == ["variant/same-model", "variant/in-memory"]
    assert set(describe_model(beside, answers_of(beside))["variants"]) == {"same-model", "in-memory"}  # type: ignore[arg-type]


def test_an_invalid_variant_is_refused_in_one_line(folder: Path, audited: Audited) -> None:
    np.savez(folder / "short.npz", outputs=np.zeros((3, 5), dtype=np.float32))
    np.savez(folder / "other.npz", features=np.zeros((3, 5), dtype=np.float32))
    torch.save({"layer.weight": torch.zeros(2, 2)}, folder / "strange.pth")
    for name, error, says in (
        ("short.npz", DataError, "outputs are float32 of shape"),
        ("other.npz", DataError, "holds features, but no outputs"),
        ("strange.pth", CheckpointError, "which the recipe's network needs"),
        ("missing.pt", InputError, "no such file"),
    ):
        with pytest.raises(error, match=says):
            variants_of([folder / name], audited)
    with pytest.raises(InputError, match="two variants are called 'a-b'"):
        variants_of({"a b": folder / "model.pt", "a_b": folder / "model.pt"}, audited)
