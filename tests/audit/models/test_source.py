"""Source weights as they come, and networks that bring their own."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from audit.config.recipe import Recipe, parse
from audit.models.answers import Tokens, gives_logits
from audit.models.head import new_head
from audit.models.source import Source
from audit.training.prepare import source_of
from probes.errors import CheckpointError
from probes.message import Message
from tests.audit.conftest import small_recipe

NETWORKS = """
import torch
from torch import nn


def plain():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 10, bias=False))


def loading():
    network = plain()
    with torch.no_grad():
        network[1].weight.copy_(torch.linspace(-1, 1, 512).reshape(8, 64))
    return network
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "networks.py").write_text(NETWORKS, encoding="utf-8")
    return tmp_path


def source(folder: Path, model: str = "networks:plain", **section: object) -> Source:
    recipe: Recipe = parse(small_recipe() | {"source": {"model": model, **section}}, "t")
    return source_of(recipe, folder, trust_code=True, progress=None)


@pytest.mark.parametrize("prefix", ["", "model.", "_orig_mod.", "module.model."])
def test_a_backbone_without_its_classifier_is_taken_under_any_wrapper(folder: Path, prefix: str) -> None:
    torch.save({f"{prefix}1.weight": torch.ones(8, 64), f"{prefix}1.bias": torch.zeros(8)}, folder / "backbone.pt")
    found = source(folder, weights="backbone.pt")
    one, other = found.network(1), found.network(2)
    assert bool((one.state_dict()["1.weight"] == 1).all())
    assert not torch.equal(one.state_dict()["3.weight"], other.state_dict()["3.weight"])


def test_a_backbone_that_lacks_more_than_the_classifier_is_refused(folder: Path) -> None:
    torch.save({"1.weight": torch.ones(8, 64)}, folder / "half.pt")
    with pytest.raises(CheckpointError, match=r"do not fit.*1\.bias"):
        source(folder, weights="half.pt").network(0)


def test_a_factory_that_loads_weights_is_detected_and_scratch_starts_from_random_ones(folder: Path) -> None:
    found = source(folder, "networks:loading")
    assert found.loads == ("1.weight",)
    scratch = found.network(1, weights=False).state_dict()["1.weight"]
    assert not torch.equal(scratch, found.network(2, weights=False).state_dict()["1.weight"])
    loaded = torch.linspace(-1, 1, 512).reshape(8, 64)
    assert not torch.equal(scratch, loaded)
    assert torch.equal(found.network(1).state_dict()["1.weight"], loaded)
    assert source(folder).loads == ()


def test_a_head_without_a_bias_stays_without() -> None:
    assert new_head(nn.Linear(4, 3, bias=False), 5).bias is None
    assert new_head(nn.Linear(4, 3), 5).bias is not None
    assert new_head(nn.Conv2d(4, 3, 1, bias=False), 5).bias is None


class Answers(nn.Module):
    def __init__(self, wrap: object) -> None:
        super().__init__()
        self.wrap = wrap

    def forward(self, x: torch.Tensor) -> object:
        return self.wrap(x)  # type: ignore[operator]


@pytest.mark.parametrize(
    "wrap",
    [
        lambda x: x,
        lambda x: {"loss": x.sum(), "logits": x},
        lambda x: (x.sum(), x),
        lambda x: Message("m", {"logits": 1}),
    ],
)
def test_answers_of_every_shape_are_logits_or_stay_what_they_are(wrap: object) -> None:
    given = torch.zeros(2, 3)
    answer = gives_logits(gives_logits(Answers(wrap)))(given)
    assert answer is given or isinstance(answer, Message)


def test_stored_tokens_become_ids_with_a_mask_and_types() -> None:
    stored = torch.tensor([[3, 1, 0], [0, 0, 0], [5, 2**20 + 6, 0]])
    _, given = Tokens(padding=9, typed=True)(nn.Identity(), (stored,), {})
    assert given["input_ids"].tolist() == [[2, 0, 9], [9, 9, 9], [4, 5, 9]]
    assert given["attention_mask"].tolist() == [[1, 1, 0], [1, 0, 0], [1, 1, 0]]
    assert given["token_type_ids"].tolist() == [[0, 0, 0], [0, 0, 0], [0, 1, 0]]
