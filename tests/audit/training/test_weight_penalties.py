"""Each regulariser does what its paper says, on a small case."""

import pytest
import torch
from torch import nn

from audit.config.recipe import RegulariseSection
from audit.training.feature_losses import attention_loss, attention_map, spectral_shrinkage
from audit.training.prepare import run
from audit.training.weight_penalties import penalty
from tests.audit.conftest import small_experiment
from tests.audit.trained import SOURCE, before, weights

LONG = {"epochs": 15, "lr": 0.02, "batch_size": 25}


def theta(state: dict[str, torch.Tensor], without: str = "") -> torch.Tensor:
    return torch.cat([value.flatten() for name, value in state.items() if not (without and name.startswith(without))])


def trained(regularise: dict) -> tuple[dict, dict]:
    experiment = small_experiment(source=SOURCE, train=LONG, regularise=regularise)
    return before(experiment), weights(run(experiment, "t", None))


def test_penalty_is_the_formula():
    torch.manual_seed(0)
    layer = nn.Linear(3, 2)
    parameters = dict(layer.named_parameters())
    anchor = {"weight": torch.randn(2, 3)}
    w, b = layer.weight.detach(), layer.bias.detach()
    section = RegulariseSection(l1=0.1, l2=0.2, l2_sp=0.3, l2_head=0.4)
    expected = 0.1 * (w.abs().sum() + b.abs().sum()) + 0.2 * (w.square().sum() + b.square().sum())
    expected = expected + 0.3 * (w - anchor["weight"]).square().sum() + 0.4 * b.square().sum()
    torch.testing.assert_close(penalty(section, anchor)(parameters).detach(), expected)
    spared = penalty(RegulariseSection(l2=0.2, on="weights"), {})(parameters).detach()
    torch.testing.assert_close(spared, 0.2 * w.square().sum())
    assert penalty(RegulariseSection(), {}) is None


def test_l1_gives_sparsity():
    _, plain = trained({})
    _, sparse = trained({"l1": 1e-2})
    small = [float((theta(state).abs() < 1e-3).float().mean()) for state in (plain, sparse)]
    assert small[1] > 0.2
    assert small[0] < 0.01


def test_l2_shrinks():
    _, plain = trained({})
    _, shrunk = trained({"l2": 5e-3})
    assert theta(shrunk).norm() < 0.9 * theta(plain).norm()


def test_l2_sp_stays_near_the_source():
    start, plain = trained({})
    _, near = trained({"l2_sp": 0.3})
    distance = [float((theta(state, "9") - theta(start, "9")).norm()) for state in (plain, near)]
    assert distance[1] < 0.5 * distance[0]
    _, shrunk = trained({"l2": 0.3})
    assert distance[1] < float((theta(shrunk, "9") - theta(start, "9")).norm())


def test_a_share_of_the_way_back_to_the_source():
    start, plain = trained({})
    _, back = trained({"source_share": 0.25})
    torch.testing.assert_close(theta(back, "9"), 0.75 * theta(plain, "9") + 0.25 * theta(start, "9"))
    heads = [
        torch.cat([value.flatten() for name, value in one.items() if name.startswith("9")]) for one in (plain, back)
    ]
    torch.testing.assert_close(*heads)


def test_attention_map_by_hand():
    activation = torch.tensor([[[[1.0, 2.0]], [[3.0, 0.0]]]])  # one sample, two channels, 1 × 2 places
    expected = torch.tensor([[5.0, 2.0]])
    torch.testing.assert_close(attention_map(activation), expected / expected.norm())
    other = {"a": activation, "b": torch.zeros(1, 4)}
    assert float(attention_loss(other, other)) == 0


def test_attention_transfer_keeps_the_sources_attention():
    def distance(strength: float) -> float:
        experiment = small_experiment(source=SOURCE, train=LONG, regularise={"attention": strength})
        network = run(experiment, "t", None).network
        source = experiment.source.network(0).eval()
        x = experiment.inputs[:100]
        with torch.no_grad():
            maps = [{"3": model[:4](x)} for model in (network, source)]
        return float(attention_loss(*maps))

    assert distance(10.0) < 0.5 * distance(0.0)


def test_spectral_shrinkage_is_the_smallest_singular_values():
    features = torch.diag(torch.tensor([3.0, 2.0, 1.0]))
    assert float(spectral_shrinkage(features, 1)) == pytest.approx(1.0)
    assert float(spectral_shrinkage(features, 2)) == pytest.approx(5.0)


def test_bss_shrinks_the_smallest_singular_values_of_the_features():
    def smallest(strength: float) -> float:
        experiment = small_experiment(source=SOURCE, train=LONG, regularise={"bss": strength, "bss_k": 10})
        network = run(experiment, "t", None).network
        with torch.no_grad():
            features = network[:9](experiment.inputs[experiment.pool.member])
        values = torch.linalg.svdvals(features)
        return float((values[-10:].square().sum() / values.square().sum()).sqrt())

    assert smallest(0.5) < 0.7 * smallest(0.0)
