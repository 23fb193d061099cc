import copy

import pytest
import torch
from captum.attr import DeepLift
from torch import Tensor, nn
from torch.nn import functional
from torchvision import models

from audit.models.graph_rewrite import (
    PreparationWarning,
    embedding,
    fold_batchnorm,
    has_batchnorm,
    merge_batchnorm,
    prepare,
    same_outputs,
)
from audit.models.head import find_head
from probes.errors import RecipeError


class Awkward(nn.Module):
    """Shared, in-place and functional activations, an alias read after its change, a parameter outside any layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 3)
        self.relu = nn.ReLU(inplace=True)
        self.scale = nn.Parameter(torch.full((8,), 1.5))
        self.unused = nn.Linear(2, 2)
        self.register_buffer("mark", torch.ones(3))

    def forward(self, x: Tensor) -> Tensor:
        a = self.first(x)
        b = self.relu(a)
        c = self.relu(self.second(b)) * self.scale
        c += a  # a was rectified in place
        d = functional.leaky_relu(c.sub_(0.5), 0.2)
        return self.head(functional.dropout(torch.relu(d + c), 0.5, self.training))


class Branches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Sequential(nn.Linear(4, 4), nn.ReLU(inplace=True), nn.Linear(4, 2))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x if x.sum() > 0 else -x)


def randomise_statistics(network: nn.Module) -> nn.Module:
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.2, 0.2)
    return network.eval()


def test_awkward_network_keeps_outputs_and_keys():
    torch.manual_seed(0)
    network = Awkward().eval()
    before = copy.deepcopy(network.state_dict())
    prepared = prepare(network)
    x = torch.randn(16, 6)
    torch.testing.assert_close(prepared(x.clone()), network(x.clone()), rtol=0, atol=0)
    assert prepared.state_dict().keys() == before.keys()
    assert all(torch.equal(network.state_dict()[name], value) for name, value in before.items())
    assert not any(getattr(module, "inplace", False) for module in prepared.modules())
    called = [str(node.target) for node in prepared.graph.nodes if node.op == "call_module"]
    assert len(called) == len(set(called))


def test_functional_dropout_follows_train_mode():
    torch.manual_seed(0)
    prepared = prepare(Awkward())
    x = torch.randn(4, 6)
    prepared.train()
    assert not torch.equal(prepared(x), prepared(x))
    prepared.eval()
    assert torch.equal(prepared(x), prepared(x))


def test_prepared_shares_nothing_with_the_original():
    network = Awkward().eval()
    prepared = prepare(network)
    with torch.no_grad():
        prepared.get_submodule("first").weight.zero_()
    assert network.first.weight.abs().sum() > 0


def test_data_dependent_code_falls_back_and_says_why():
    network = Branches().eval()
    with pytest.warns(PreparationWarning, match="Branches: torch.fx cannot trace it"):
        prepared = prepare(network)
    assert not prepared.head[1].inplace
    assert network.head[1].inplace
    x = torch.randn(3, 4)
    assert torch.equal(prepared(x), network(x))
    with pytest.raises(RecipeError, match="cannot trace"):
        fold_batchnorm(network)


def test_rewrite_that_would_lie_is_not_used(monkeypatch):
    monkeypatch.setattr("audit.models.graph_rewrite.same_outputs", lambda *_: False)
    with pytest.warns(PreparationWarning, match="gives different answers"):
        prepare(Awkward(), torch.randn(2, 6))


@pytest.mark.parametrize("name", ["vgg11_bn", "resnet18", "densenet121", "mobilenet_v2", "squeezenet1_1"])
def test_torchvision_networks_keep_outputs_and_keys(name):
    torch.manual_seed(0)
    network = randomise_statistics(models.get_model(name, weights=None, num_classes=5))
    x = torch.randn(2, 3, 64, 64)
    prepared, folded = prepare(network, x), fold_batchnorm(network, x)
    assert prepared.state_dict().keys() == network.state_dict().keys()
    assert same_outputs(network, prepared, x)
    assert same_outputs(network, folded, x)
    assert not has_batchnorm(folded)
    assert find_head(network) in dict(folded.named_modules())


def test_folding_is_only_equal_to_the_right_statistics():
    """The comparison can fail: a folded network against the same network with other statistics."""
    torch.manual_seed(0)
    network = randomise_statistics(models.resnet18(num_classes=5))
    folded = fold_batchnorm(network)
    x = torch.randn(2, 3, 32, 32)
    network.bn1.running_mean += 0.1
    assert not same_outputs(network, folded, x)


@pytest.mark.parametrize("name", ["resnet18", "shufflenet_v2_x0_5", "densenet121"])
def test_merged_batchnorm_leaves_answers_and_the_prepared_network(name):
    torch.manual_seed(0)
    network = randomise_statistics(getattr(models, name)(num_classes=7)).eval()
    images = torch.randn(3, 3, 64, 64)
    prepared = prepare(network, images[:2]).requires_grad_(False)
    keys = list(prepared.state_dict())
    merged = merge_batchnorm(prepared, images[:2])
    assert merged is not None
    assert list(prepared.state_dict()) == keys
    assert not any(parameter.requires_grad for parameter in merged.parameters())
    assert has_batchnorm(merged) == (name == "densenet121")  # whose other BatchNorms follow a concatenation
    with torch.no_grad():
        before, after = prepared(images), merged(images)
    assert (before - after).abs().max() < 1e-5 * before.abs().max()


def test_nothing_to_merge_is_no_network():
    images = torch.randn(2, 3, 16, 16)
    first = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 3))
    without_statistics = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False))
    shared = nn.Conv2d(3, 3, 1)
    twice = nn.Sequential(shared, nn.BatchNorm2d(3), shared)
    for network in (nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), first, without_statistics, twice):
        assert merge_batchnorm(prepare(network.eval(), images), images) is None
    assert merge_batchnorm(network, images) is None  # not prepared


def test_one_layer_is_only_copied():
    layer = nn.Linear(3, 2)
    assert torch.equal(prepare(layer).weight, layer.weight)


def test_linear_batchnorm_is_folded():
    torch.manual_seed(0)
    network = randomise_statistics(nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 2)))
    x = torch.randn(5, 4)
    assert same_outputs(network, fold_batchnorm(network, x), x)


def test_batchnorm_that_cannot_be_folded_is_refused():
    with pytest.raises(RecipeError, match="does not follow a layer"):
        fold_batchnorm(nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 2)))
    with pytest.raises(RecipeError, match="keeps no statistics"):
        fold_batchnorm(nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4, track_running_stats=False)))


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1", "vgg11"])
def test_embedding_is_the_heads_input(name):
    torch.manual_seed(0)
    network = prepare(models.get_model(name, weights=None, num_classes=5).eval())
    head = find_head(network)
    embed = embedding(network, head)
    x = torch.randn(2, 3, 64, 64)
    seen = []
    handle = network.get_submodule(head).register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    network(x)
    handle.remove()
    expected = seen[0].mean((-2, -1)) if seen[0].ndim == 4 else seen[0]  # SqueezeNet pools after its head
    torch.testing.assert_close(embed(x), expected)
    assert next(embed.parameters()) is next(network.parameters())


def test_what_follows_a_head_is_no_part_of_its_input():
    network = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3), nn.Softmax(dim=1)).eval()
    x = torch.randn(4, 6)
    torch.testing.assert_close(embedding(prepare(network), "2")(x), network[:2](x))


class Described(nn.Module):
    """Answers with more than logits, which no graph can hold."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(6, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        found = torch.relu(self.body(x))
        return {"found": found, "answer": self.head(found).softmax(1)}


def test_the_input_of_a_head_is_found_whatever_the_network_answers():
    network, x = Described().eval(), torch.randn(4, 6)
    with pytest.warns(PreparationWarning, match="cannot trace"):
        prepared = prepare(network)
    embed = embedding(prepared, "head")
    torch.testing.assert_close(embed(x), torch.relu(network.body(x)))
    assert next(embed.parameters()) is next(prepared.parameters())


@pytest.mark.filterwarnings("ignore:Setting forward, backward hooks", "ignore:Input Tensor 0 did not already")
def test_deeplift_explains_a_network_it_refused():
    torch.manual_seed(0)
    network = models.resnet18(num_classes=3).eval()
    x, zero = torch.randn(1, 3, 32, 32), torch.zeros(1, 3, 32, 32)
    with pytest.raises((RuntimeError, AssertionError)):
        DeepLift(network).attribute(x, zero, target=0)
    attribution = DeepLift(prepare(network)).attribute(x, zero, target=0)
    torch.testing.assert_close(attribution.sum(), network(x)[0, 0] - network(zero)[0, 0], rtol=1e-3, atol=1e-3)
