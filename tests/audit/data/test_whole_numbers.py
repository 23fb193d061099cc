"""Whole numbers as features: a table where the model takes numbers, token ids where it looks them up."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.tree import DecisionTreeClassifier
from torch import nn

from audit.api.opening import open_model
from audit.config.run_settings import Settings
from audit.data.dataset import Dataset
from audit.evidence.own_answers import answers_of
from audit.models.number_inputs import takes_numbers
from audit.results.metadata import describe_model
from probes.message import Message

RNG = np.random.default_rng(0)
X = RNG.integers(0, 50, (40, 5))
Y = (X[:, 0] > 25).astype(int)
READ = Message("audit.data-whole-numbers")


def opened(tmp_path, model, data=(X, Y), trainer=None) -> Dataset:
    settings = Settings(store=tmp_path / "store", workers=1)
    audited = open_model(settings, model, data, members=range(20), trainer=trainer)
    return audited.experiment.dataset


def dense() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 2))


def lookup() -> nn.Module:
    return nn.Sequential(nn.Embedding(60, 4), nn.Flatten(), nn.Linear(20, 2))


def answers(asked: np.ndarray) -> np.ndarray:
    return np.stack([1.0 - Y[asked], Y[asked]], axis=1)


MAKERS = {
    "tree": lambda fit: DecisionTreeClassifier(max_depth=2).fit(fit.features, fit.targets),
    "network": lambda fit: dense(),
    "function": lambda fit: answers,
}


@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.int16, np.uint32])
def test_a_network_that_takes_numbers_is_given_a_table(tmp_path, kind):
    found = opened(tmp_path, dense(), (X.astype(kind), Y))
    assert (found.modality, found.inputs.dtype, READ in found.notes) == ("table", np.dtype(np.float32), True)
    np.testing.assert_array_equal(found.inputs, X)


@pytest.mark.parametrize("trainer", [None, lambda fit: lookup()])
def test_a_network_with_an_embedding_is_given_token_ids(tmp_path, trainer):
    found = opened(tmp_path, lookup(), trainer=trainer)
    assert (found.modality, READ in found.notes) == ("text", False)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_scripted_network_is_asked_for_its_embeddings_too():
    assert not takes_numbers(torch.jit.script(lookup()), torch.from_numpy(X[:2]))
    assert takes_numbers(torch.jit.script(dense()), torch.from_numpy(X[:2]))


def test_an_estimator_is_given_a_table(tmp_path):
    found = opened(tmp_path, DecisionTreeClassifier(max_depth=2).fit(X[:20], Y[:20]))
    assert (found.modality, READ in found.notes) == ("table", True)


@pytest.mark.parametrize("made", MAKERS)
@pytest.mark.parametrize("given", [False, True])
def test_what_a_trainer_makes_tells_what_the_numbers_are(tmp_path, made, given):
    trainer = MAKERS[made]
    model = {"tree": DecisionTreeClassifier().fit(X, Y), "network": dense(), "function": answers}[made]
    found = opened(tmp_path, model if given else None, trainer=trainer)
    assert (found.modality, READ in found.notes) == ("table", True)


def test_negative_numbers_are_no_token_ids_and_a_dataset_keeps_its_modality(tmp_path):
    below = opened(tmp_path, None, (X - 30, Y), trainer=MAKERS["function"])
    assert (below.modality, READ in below.notes) == ("table", True)
    stated = Dataset(name="d", inputs=X, labels=Y, classes=("0", "1"), modality="text")
    assert opened(tmp_path, None, stated, trainer=MAKERS["function"]).modality == "text"
    shown = {"features": X, "labels": Y, "texts": [str(row) for row in X]}
    assert opened(tmp_path, None, shown, trainer=MAKERS["function"]).modality == "text"


def test_models_without_weights_are_told_apart_by_their_answers(tmp_path):
    settings = Settings(store=tmp_path / "store", workers=1)
    digests = []
    for depth in (1, 1, 5):
        tree = DecisionTreeClassifier(max_depth=depth, random_state=0).fit(X[:20], 1 - Y[:20] if depth > 1 else Y[:20])
        audited = open_model(settings, tree, (X, Y), members=range(20))
        digests.append(describe_model(audited, answers_of(audited))["digest"])
    assert digests[0] == digests[1] != digests[2]
