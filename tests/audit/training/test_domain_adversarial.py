import numpy as np
import torch
from torch import nn

from audit.config.recipe import parse
from audit.data.dataset import Dataset
from audit.models.source import Source
from audit.training.domain_adversarial import DomainClassifier, ramp
from audit.training.experiment import Experiment
from audit.training.loop import predict
from audit.training.prepare import run
from probes.plan import Pool
from tests.audit.conftest import EXAMPLES


def test_gradient_is_reversed():
    torch.manual_seed(0)
    domains = DomainClassifier(3, 4)
    own, other = torch.randn(5, 3, requires_grad=True), torch.randn(5, 3)
    plain = domains.layers(torch.cat([own, other])).squeeze(1)
    target = torch.cat([torch.zeros(5), torch.ones(5)])
    loss = nn.functional.binary_cross_entropy_with_logits(plain, target)
    (expected,) = torch.autograd.grad(loss, own)
    turned = domains(own, other, 0.7)
    (got,) = torch.autograd.grad(turned, own)
    torch.testing.assert_close(turned, loss)
    torch.testing.assert_close(got, -0.7 * expected)


def test_ramp():
    assert ramp(0.0) == 0
    assert 0.99 < ramp(1.0) < 1


def domain(rng: np.random.Generator, shift: float, agreement: float) -> Dataset:
    """Feature 0 tells the class in every domain; feature 1, which is larger, tells it as often as `agreement`, and
    stands elsewhere in another domain."""
    labels = rng.integers(0, 2, 400)
    told = np.where(rng.random(400) < agreement, labels, 1 - labels)
    steady = (2 * labels - 1) + rng.normal(0, 0.3, 400)
    shaky = 3 * (2 * told - 1) + shift + rng.normal(0, 0.5, 400)
    inputs = np.stack([steady, shaky], axis=1).astype(np.float32)
    return Dataset(name="toy", inputs=inputs, labels=labels, classes=("a", "b"), modality="table")


def accuracy_elsewhere(seed: int, align: bool) -> float:
    rng = np.random.default_rng(seed)
    here, there = domain(rng, 0.0, 0.9), domain(rng, 6.0, 0.5)
    content = {
        "data": {"kind": "digits"},
        "split": {"members": 300, "held_out": 100},
        "source": {"model": "small_networks:mlp", "options": {"features": 2, "hidden": 16}},
        "input": {"mean": [0.0], "std": [1.0]},
        "train": {"epochs": 40, "lr": 0.02, "batch_size": 50, "clip_norm": 1.0},
    }
    if align:
        content["align"] = {"data": {"kind": "digits"}, "weight": 0.5}
    recipe = parse(content, "t")
    member = np.arange(400) < 300
    experiment = Experiment(
        recipe=recipe,
        source=Source(section=recipe.source, classes=2, state=None, trust_code=True, folder=EXAMPLES),
        dataset=here,
        pool=Pool(labels=here.labels, member=member, held_out=~member, validation=np.zeros(400, dtype=bool)),
        seed=seed,
        other_domain=there,
    )
    network = run(experiment, "t", None).network
    return float((predict(network, torch.from_numpy(there.inputs)).argmax(1) == there.labels).mean())


def test_alignment_helps_in_the_other_domain():
    plain, aligned = ([accuracy_elsewhere(seed, align) for seed in range(3)] for align in (False, True))
    assert np.mean(aligned) > np.mean(plain) + 0.04
    assert min(aligned) > 0.95
