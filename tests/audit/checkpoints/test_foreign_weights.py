from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from audit.checkpoints.foreign_weights import adopt, fit, read_weights
from audit.config.recipe import parse
from audit.training.loop import predict
from audit.training.prepare import run
from probes.errors import CheckpointError, DataError
from probes.texts import said
from tests.audit.conftest import EXAMPLES, small_experiment, small_recipe

RECIPE = parse(small_recipe(), "t")


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return run(small_experiment(), "t", None).network


def answers_the_same(network: nn.Module, path) -> bool:
    checkpoint, experiment = adopt(path, RECIPE, EXAMPLES, trust_code=True)
    adopted = experiment.begin(experiment.audited_row()).network
    adopted.load_state_dict(dict(checkpoint.state), strict=True)
    assert any("does not record what it was trained on" in said(limit) for limit in checkpoint.limits)
    return bool((predict(adopted, experiment.inputs) == predict(network, experiment.inputs)).all())


@pytest.mark.parametrize("shape", ["bare", "lightning", "timm", "parallel", "compiled", "nested prefixes"])
def test_state_dicts_of_the_wild(tmp_path, network, shape):
    state = network.state_dict()
    content = {
        "bare": state,
        "lightning": {
            "state_dict": {f"model.{name}": value for name, value in state.items()} | {"loss.weight": torch.ones(5)},
            "epoch": 3,
            "pytorch-lightning_version": "2.4.0",
        },
        "timm": {"state_dict": state, "arch": "small", "metric": 0.9},
        "parallel": {f"module.{name}": value for name, value in state.items()},
        "compiled": {"model": {f"_orig_mod.{name}": value for name, value in state.items()}},
        "nested prefixes": {"state_dict": {f"model._orig_mod.{name}": value for name, value in state.items()}},
    }[shape]
    torch.save(content, tmp_path / "m.pt")
    assert answers_the_same(network, tmp_path / "m.pt")


def test_safetensors(tmp_path, network):
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, tmp_path / "m.safetensors")
    assert answers_the_same(network, tmp_path / "m.safetensors")


@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning",
    "ignore::torch.jit.TracerWarning",
    "ignore::FutureWarning",
    "ignore:No complete tensor",
)
@pytest.mark.parametrize("kind", ["TorchScript", "torch.export"])
def test_programs_are_opened_only_where_trusted(tmp_path, network, kind):
    path, example = tmp_path / "m.pt2", (torch.zeros(2, 1, 8, 8),)
    if kind == "TorchScript":
        torch.jit.trace(network, example).save(str(path))
    else:
        torch.export.save(torch.export.export(network, example), path)
    with pytest.raises(CheckpointError, match=f"is a {kind} program.*--trust-code"):
        read_weights(path, trust_code=False)
    assert answers_the_same(network, path)


def test_weights_of_another_network(tmp_path, network):
    state = network.state_dict()
    cases = {
        "lacks 9.bias, which": {name: value for name, value in state.items() if name != "9.bias"},
        "holds 11.bias, which": state | {"11.bias": torch.zeros(1)},
        r"9.weight has shape \(7, 16\), in the recipe's network \(5, 16\)": state | {"9.weight": torch.zeros(7, 16)},
    }
    for message, content in cases.items():
        torch.save(content, tmp_path / "m.pt")
        with pytest.raises(CheckpointError, match=message):
            adopt(tmp_path / "m.pt", RECIPE, EXAMPLES, trust_code=True)


def test_batches_were_not_always_counted():
    layers = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    expected = layers.state_dict()
    old = {name: value for name, value in expected.items() if "num_batches" not in name}
    assert list(fit(old, expected, Path("old.pt"))) == list(expected)
    with pytest.raises(CheckpointError, match=r"lacks 1\.running_mean"):
        fit({name: value for name, value in old.items() if "mean" not in name}, expected, Path("old.pt"))


def test_the_split_it_was_trained_with(tmp_path, network):
    torch.save(network.state_dict(), tmp_path / "m.pt")
    np.savez(tmp_path / "split.npz", members=[0, 1, 2, 5, 7, 9], held_out=[3, 4, 6], validation=[8])
    recipe = parse(small_recipe(split={"file": str(tmp_path / "split.npz")}), "t")
    checkpoint, experiment = adopt(tmp_path / "m.pt", recipe, EXAMPLES, trust_code=True)
    assert np.flatnonzero(experiment.pool.member).tolist() == [0, 1, 2, 5, 7, 9]
    assert not any("drawn with the recipe's seed" in said(limit) for limit in checkpoint.limits)
    np.savez(tmp_path / "split.npz", members=[0, 99999], held_out=[3])
    with pytest.raises(DataError, match="is not a split of"):
        adopt(tmp_path / "m.pt", recipe, EXAMPLES, trust_code=True)


def test_averaged_weights_are_audited_if_their_key_is_given(tmp_path, network):
    raw = network.state_dict()
    average = {name: value + 1 if value.is_floating_point() else value for name, value in raw.items()}
    torch.save({"state_dict": raw, "state_dict_ema": average, "epoch": 3}, tmp_path / "both.pth")
    plain, _ = adopt(tmp_path / "both.pth", RECIPE, EXAMPLES, trust_code=True)
    named, _ = adopt(tmp_path / "both.pth", RECIPE, EXAMPLES, trust_code=True, key="state_dict_ema")
    first = next(iter(raw))
    assert torch.equal(plain.state[first], raw[first])
    assert torch.equal(named.state[first], average[first])
    assert {"audit.holds-averages", "audit.weights-chosen"} & {one.code for one in plain.limits} == {
        "audit.holds-averages"
    }
    assert any(one.code == "audit.weights-chosen" for one in named.limits)
    with pytest.raises(CheckpointError, match=r"no weights under 'ema'.*state_dict_ema"):
        adopt(tmp_path / "both.pth", RECIPE, EXAMPLES, trust_code=True, key="ema")


def test_averaged_weights_are_reported_and_audited_by_their_prefix(tmp_path, network):
    raw = network.state_dict()
    average = {name: value + 1 if value.is_floating_point() else value for name, value in raw.items()}
    both = {f"model.{name}": value for name, value in raw.items()}
    both |= {f"ema_model.module.{name}": value for name, value in average.items()}
    torch.save({"state_dict": both}, tmp_path / "both.ckpt")
    plain, _ = adopt(tmp_path / "both.ckpt", RECIPE, EXAMPLES, trust_code=True)
    named, _ = adopt(tmp_path / "both.ckpt", RECIPE, EXAMPLES, trust_code=True, key="ema_model")
    first = next(iter(raw))
    assert torch.equal(plain.state[first], raw[first])
    assert torch.equal(named.state[first], average[first])
    assert any("ema_model: the raw weights were audited" in said(limit) for limit in plain.limits)
    with pytest.raises(CheckpointError, match=r"no weights under 'ema'.*ema_model"):
        adopt(tmp_path / "both.ckpt", RECIPE, EXAMPLES, trust_code=True, key="ema")


@pytest.mark.parametrize("shape", ["a wrapper of one's own", "averaged by torch", "resumed"])
def test_other_content_of_a_weight_file_is_ignored(tmp_path, network, shape):
    state = network.state_dict()
    content = {
        "a wrapper of one's own": {f"classifier_net.{name}": value for name, value in state.items()},
        "averaged by torch": torch.optim.swa_utils.AveragedModel(network).state_dict(),
        "resumed": {"epoch": torch.tensor(3), **state},
    }[shape]
    torch.save(content, tmp_path / "m.pt")
    assert answers_the_same(network, tmp_path / "m.pt")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda state: {**state, "9.weight": state["9.weight"] * torch.nan}, r"9\.weight contains NaN"),
        (
            lambda state: {**state, "9.weight": state["9.weight"][:1]},
            r"9\.weight has shape \(1, 16\), .* \(5, 16\)\. Give data",
        ),
        (lambda state: {**state, "scale": torch.tensor(1.5)}, "holds scale, which the recipe's network does not have"),
        (
            lambda state: {f"{own}.{name}": value for own in "ab" for name, value in state.items()},
            r"lacks 0\.weight .* each of the prefixes a and b .* --weights a",
        ),
        (
            lambda state: {name: value.to(torch.int8) for name, value in state.items()},
            r"0\.weight is int8: quantised weights",
        ),
        (
            lambda state: {("fc." if name.startswith("9.") else "") + name: value for name, value in state.items()},
            r"lacks 9\.weight and 1 more, .*; instead it holds fc\.9\.weight and 1 more",
        ),
    ],
)
def test_weights_that_cannot_be_those_are_refused(tmp_path, network, change, says):
    torch.save(change(network.state_dict()), tmp_path / "m.pt")
    with pytest.raises(CheckpointError, match=says):
        adopt(tmp_path / "m.pt", RECIPE, EXAMPLES, trust_code=True)


def test_a_network_with_one_logit_is_refused_with_how_to_give_two():
    expected, found = nn.Linear(4, 2).state_dict(), nn.Linear(4, 1).state_dict()
    with pytest.raises(CheckpointError, match=r"\(1, 4\), .* \(2, 4\)\. Two classes need two logits: of one"):
        fit(found, expected, Path("one.pt"))
    zeros = {
        "weight": torch.cat([torch.zeros(1, 4), found["weight"]]),
        "bias": torch.cat([torch.zeros(1), found["bias"]]),
    }
    assert list(fit(zeros, expected, Path("two.pt"))) == list(expected)
