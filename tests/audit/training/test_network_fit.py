"""A classifier that is not the last linear layer: one line that names the key that helps, or the layer itself found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import audit
from audit.checkpoints.user_trained import adopt_trained, trainer_of
from audit.config.recipe import parse
from audit.data.handed_over import handed
from audit.engines.base import Refused
from audit.engines.stacked import all_take_part
from audit.models.answering_layer import answering_layer, takes_part
from audit.training.prepare import prepare, run
from probes.errors import RecipeError
from tests.audit import command
from tests.audit.conftest import small_recipe

NETWORKS = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, num_classes, first, width, used):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU())
        if first:
            self.head, self.projection = nn.Linear(16, num_classes), nn.Linear(16, width)
        else:
            self.projection, self.head = nn.Linear(16, width), nn.Linear(16, num_classes)
        self.used = used

    def forward(self, x):
        found = self.body(x)
        return self.head(torch.relu(self.projection(found)) if self.used else found)

def net(num_classes=10, first=True, width=16, used=True):
    return Net(num_classes, first, width, used)

def calibrated(num_classes=10):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, num_classes), nn.Linear(num_classes, num_classes))

def convolutions(num_classes=10):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.Unflatten(1, (8, 1, 1)), nn.Conv2d(8, num_classes, 1),
                         nn.Flatten())

class Viewed(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(1, 4, 3), nn.Linear(144, num_classes)

    def forward(self, x):
        return self.fc(torch.relu(self.conv(x)).view(-1, 144))

def viewed(num_classes=10):
    return Viewed(num_classes)

class Answers(nn.Module):
    def __init__(self, how):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU())
        self.head, self.aux, self.matrix = nn.Linear(16, 5), nn.Linear(16, 5), nn.Parameter(torch.randn(16, 5))
        self.how = how
        if how == "matrix":
            self.head = self.aux = None

    def forward(self, x):
        found = self.body(x)
        return {
            "pair": lambda: (self.head(found), self.aux(found)),
            "features first": lambda: (found, self.aux(found)),
            "two entries": lambda: {"coarse": self.head(found), "fine": self.aux(found)},
            "functional": lambda: nn.functional.linear(found, self.aux.weight, self.aux.bias),
            "matrix": lambda: found @ self.matrix,
            "complex": lambda: torch.complex(self.aux(found), self.aux(found)),
        }[self.how]()

def answers(how):
    return Answers(how)

def wrapped():
    return nn.DataParallel(net().double())
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "nets.py").write_text(NETWORKS)
    return tmp_path


def recipe(model: str = "nets:net", head: str | None = None, **options: object):
    source = {"model": model, "options": options}
    named = {} if head is None else {"head": {"name": head}}
    return parse(small_recipe(source=source, train={"epochs": 1, "lr": 0.1, "batch_size": 25}, **named), "r")


@pytest.mark.parametrize(
    ("options", "last"),
    [
        ({}, "projection"),  # of another width than the data has classes
        ({"width": 5, "used": False}, "projection"),  # of as many as the data has classes, and used by nobody
        ({"used": False}, "projection"),
    ],
)
def test_a_projection_behind_the_head_is_not_taken_for_it(folder, options, last):
    with pytest.raises(RecipeError, match=rf"answers through 'head', not through '{last}'.*Set head.name = \"head\""):
        prepare(recipe(**options), folder, trust_code=True)
    experiment = prepare(recipe(head="head", **options), folder, trust_code=True)
    assert experiment.begin(experiment.audited_row()).head == "head"


def test_a_head_that_is_not_a_classifier_is_recognised(folder):
    with pytest.raises(RecipeError, match=r"answers through '2', not through '1'\. Set head\.name = \"2\""):
        prepare(recipe("nets:calibrated", head="1"), folder, trust_code=True)
    with pytest.raises(RecipeError, match=r"answers through 'head', not through 'projection'"):
        prepare(recipe(head="projection", width=5, used=False), folder, trust_code=True)
    with pytest.raises(RecipeError, match=r"answers through '3', not through '1'"):
        prepare(recipe("nets:convolutions"), folder, trust_code=True)
    prepare(recipe("nets:net", first=False), folder, trust_code=True)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("pair", "answers through 'head', not through 'aux', its last linear layer"),
        ("two entries", 'gives a dict of coarse, fine. Call the entry with the logits of the classes "logits"'),
        ("functional", "reads the weights of 'aux' without calling it"),
        ("matrix", r"'body.1', its last linear layer, is not its classifier\. Let a torch.nn.Linear"),
        ("complex", "gives torch.complex64. Its forward pass must return logits"),
    ],
)
def test_answers_in_other_ways_are_one_line_that_helps(folder, how, says):
    with pytest.raises(RecipeError, match=says):
        prepare(recipe("nets:answers", how=how), folder, trust_code=True)


def test_logits_behind_features_and_networks_in_wrappers_are_found(folder):
    experiment = prepare(recipe("nets:answers", how="features first"), folder, trust_code=True)
    assert experiment.begin(experiment.audited_row()).network(experiment.inputs[:2]).shape == (2, 5)
    inner = prepare(recipe("nets:wrapped", head="head"), folder, trust_code=True)
    network = inner.begin(inner.audited_row()).network
    assert (type(network).__name__, network.get_parameter("head.weight").dtype) == ("Net", torch.float32)


def test_the_command_line_says_it_in_one_line(folder):
    (folder / "r.toml").write_text(
        '[data]\nkind = "digits"\n[split]\nmembers = 50\nheld_out = 50\n[source]\nmodel = "nets:net"\n'
        "[train]\nepochs = 1\nbatch_size = 25\n"
    )
    line = command.refused(command.audit("finetune", "r.toml", cwd=folder))
    assert 'Set head.name = "head" in the recipe.' in line
    done = command.audit("finetune", "r.toml", "--set", "head.name=head", "-q", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")


class Unused(nn.Module):
    """The classifier, and behind it what only another loss takes."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body, self.head, self.projection = nn.Linear(6, 8), nn.Linear(8, 2), nn.Linear(8, width)

    def forward(self, x):
        return self.head(torch.relu(self.body(x)))


X, Y = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32), np.arange(40) % 2


@pytest.mark.parametrize("width", [2, 5])
def test_in_memory_the_key_is_named_as_python_has_it(tmp_path, width):
    given = {"members": range(20), "store": tmp_path, "config": {"gate": {"profile": "none"}}}
    with pytest.raises(RecipeError, match=r'answers through \'head\'.*Give recipe={"head": {"name": "head"}}'):
        audit.run(Unused(width), (X, Y), **given)


@pytest.mark.parametrize("width", [2, 5])
def test_a_classifier_that_nothing_replaces_is_found(width):
    given = handed((X, Y, range(20)))
    found = adopt_trained(Unused(width), given, trainer_of(lambda fit: Unused(width), None), seed=0)
    assert found.experiment.head == "head"
    assert found.experiment.dataset.classes == ("0", "1")
    assert found.logits().shape == (40, 2)


def test_a_weight_without_a_gradient_is_not_trained_stacked(folder):
    experiment = prepare(recipe(head="head", used=False), folder, trust_code=True)
    with pytest.raises(Refused, match="takes no part"):
        all_take_part(experiment, experiment.audited_row())
    trained = run(experiment, "test", None).network
    assert torch.equal(
        trained.get_parameter("projection.weight"),
        experiment.begin(experiment.audited_row()).network.get_parameter("projection.weight"),
    )


def test_a_network_that_does_not_take_the_samples_has_no_answering_layer():
    assert answering_layer(nn.Sequential(nn.Linear(4, 2)), torch.zeros(2, 5)) is None
    assert answering_layer(nn.Sequential(nn.Linear(4, 2), nn.Flatten(0)), torch.zeros(2, 4)) is None
    assert not takes_part(Unused(3), "projection", torch.zeros(2, 6))


def test_code_that_views_activations_trains(folder):
    """As in most tutorials; channels-last order does not fit it."""
    experiment = prepare(recipe("nets:viewed"), folder, trust_code=True)
    assert not experiment.channels_last
    trained = run(experiment, "fine-tuning", None)
    assert trained.network.conv.weight.is_contiguous()
