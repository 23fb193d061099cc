"""Our numbers are Captum's where Captum has the metric; Grad-CAM's are those of its formula."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from captum import attr
from captum.metrics import infidelity as captum_infidelity
from captum.metrics import sensitivity_max
from torch import Tensor, nn

from probes.drift.explain.integrated_gradients import SMALL
from probes.drift.explain.methods import explain
from probes.drift.explain.target import Question, why_label
from probes.drift.observables.faithfulness import (
    NEIGHBOURS,
    PERTURBATIONS,
    RADIUS,
    Removals,
    infidelity,
    masked,
    sensitivity,
)
from probes.observable import Subject
from tests.probes.drift.networks import CLASSES, Tokens, images


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 8, 3, padding=1), nn.Softplus(),
        nn.Flatten(), nn.Linear(8 * 16, 12), nn.ReLU(), nn.Linear(12, CLASSES),
    ).eval().requires_grad_(False)  # fmt: skip


def asked(model: nn.Module, inputs: Tensor, steps: int) -> Question:
    labels = torch.arange(len(inputs)) % CLASSES
    subject = Subject(name="audited", role="audited", network=model, embed=model, same_labels=True)
    question = why_label(subject, inputs, labels, np.random.default_rng(0))
    return dataclasses.replace(question, steps=steps, most=steps)


def test_integrated_gradients_are_captums_at_equal_nodes() -> None:
    model, inputs = network(), images()
    question = asked(model, inputs, steps=9)
    found = explain("integrated-gradients", dataclasses.replace(question, rows=5))
    theirs, delta = attr.IntegratedGradients(model).attribute(
        inputs, target=question.labels, n_steps=9, method="riemann_middle", return_convergence_delta=True
    )
    np.testing.assert_allclose(found.maps, theirs.sum(dim=1), atol=1e-5)
    assert found.residual is not None
    change = (model(inputs) - model(0 * inputs))[torch.arange(len(inputs)), question.labels].abs()
    scale = torch.maximum(change, SMALL * theirs.abs().flatten(1).sum(dim=1))
    np.testing.assert_allclose(found.residual, delta.abs() / scale, atol=1e-4)


def test_nodes_are_added_where_completeness_asks_for_it_and_nowhere_else() -> None:
    model, inputs = network(), images()
    question = dataclasses.replace(asked(model, inputs, steps=4), most=200, tolerance=0.05)
    found, plain = (explain("integrated-gradients", one) for one in (question, asked(model, inputs, steps=4)))
    assert found.residual is not None
    assert found.steps is not None
    assert plain.residual is not None
    assert bool((found.residual <= 0.05).all())
    enough = plain.residual <= 0.05
    assert 0 < int(enough.sum()) < len(inputs)
    assert bool(((found.steps == 4) == enough).all())
    np.testing.assert_allclose(found.maps[enough], plain.maps[enough], atol=1e-6)


def test_placed_nodes_converge_to_captums_many() -> None:
    model, inputs = network(), images()
    question = dataclasses.replace(asked(model, inputs, steps=6), most=120, tolerance=0.0)
    found = explain("integrated-gradients", question)
    theirs = attr.IntegratedGradients(model).attribute(
        inputs, target=question.labels, n_steps=1500, method="riemann_middle"
    )
    wanted = theirs.sum(dim=1).flatten(1)
    assert found.steps is not None
    assert bool((found.steps == 120).all())
    off = (found.maps.flatten(1) - wanted).norm(dim=1) / wanted.norm(dim=1)
    assert float(off.max()) < 0.01


def test_layer_integrated_gradients_are_captums() -> None:
    torch.manual_seed(3)
    model = Tokens().eval().requires_grad_(False)
    tokens = torch.randint(1, 20, (5, 6))
    question = asked(model, tokens, steps=12)
    found = explain("layer-integrated-gradients", question)
    theirs = attr.LayerIntegratedGradients(model, model.table).attribute(
        tokens, baselines=torch.zeros_like(tokens), target=question.labels, n_steps=12, method="riemann_middle"
    )
    np.testing.assert_allclose(found.maps, theirs.sum(dim=2).detach(), atol=1e-5)


@pytest.mark.parametrize("layer", ["", "0"])
def test_grad_cam_is_its_formula(layer: str) -> None:
    """Channels weighted by the mean of their gradients (Selvaraju et al. 2017, eq. 1), of the last convolution or of
    the named one."""
    model, inputs = network(), images()
    question = dataclasses.replace(asked(model, inputs, steps=1), layer=layer)
    place = int(layer or 3)
    activations = model[: place + 1](inputs).requires_grad_()
    logits = model[place + 1 :](activations)
    assert question.labels is not None
    (slopes,) = torch.autograd.grad(logits.gather(1, question.labels[:, None]).sum(), activations)
    cam = (slopes.mean(dim=(2, 3), keepdim=True) * activations).sum(dim=1, keepdim=True)
    wanted = nn.functional.interpolate(cam, (8, 8), mode="bilinear", align_corners=False)[:, 0]
    np.testing.assert_allclose(explain("grad-cam", question).maps, wanted.detach(), atol=1e-5)
    theirs = explain("LayerGradCam", question).maps
    np.testing.assert_allclose(explain("grad-cam", question).maps, theirs, atol=1e-6 * float(theirs.abs().max()))


def test_infidelity_is_captums() -> None:
    """Captum's, scaled, is the mean square of what is missed; ours is its share of the mean square of what happens."""
    model, inputs = network(), images(5)
    question = asked(model, inputs, steps=20)
    maps = explain("integrated-gradients", question).maps
    ours = infidelity(Removals.of(question, np.random.default_rng(5)), maps.flatten(1))
    rng = np.random.default_rng(5)
    removals = [rng.random((5, 64)) < share for share in rng.uniform(0.1, 0.5, size=PERTURBATIONS)]
    removed = torch.from_numpy(np.stack(removals, axis=1)).reshape(-1, 64)

    def remove(given: Tensor) -> tuple[Tensor, Tensor]:
        gone = removed.view(-1, 1, 8, 8).float()
        return gone.expand_as(given), masked(given, ~removed)

    spread = maps[:, None].expand(-1, 3, -1, -1) / 3
    theirs = captum_infidelity(
        model, remove, inputs, spread, target=question.labels, n_perturb_samples=PERTURBATIONS, normalize=True,
        max_examples_per_batch=5 * PERTURBATIONS,
    )  # fmt: skip
    every = model(inputs.repeat_interleave(PERTURBATIONS, 0)) - model(
        masked(inputs.repeat_interleave(PERTURBATIONS, 0), ~removed)
    )
    assert question.labels is not None
    happened = every.gather(1, question.labels.repeat_interleave(PERTURBATIONS)[:, None]).view(5, PERTURBATIONS)
    np.testing.assert_allclose(ours, theirs / happened.square().mean(dim=1), rtol=1e-3)


def test_sensitivity_is_captums() -> None:
    model, inputs = network(), images(5)
    question = asked(model, inputs, steps=8)
    maps = explain("integrated-gradients", question).maps.flatten(1)
    ours = sensitivity("integrated-gradients", question, maps, np.random.default_rng(6))
    rng, radius = np.random.default_rng(6), RADIUS * float(inputs.std())
    noise = torch.from_numpy(
        np.stack([rng.uniform(-radius, radius, size=inputs.shape) for _ in range(NEIGHBOURS)], axis=1)
    ).float()

    def explanation(both: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        (given,) = both
        again = torch.arange(5).repeat_interleave(len(given) // 5) % CLASSES
        return (explain("integrated-gradients", dataclasses.replace(question, inputs=given, labels=again)).maps,)

    theirs = sensitivity_max(
        explanation, (inputs,), lambda given: (given + noise.flatten(0, 1),), n_perturb_samples=NEIGHBOURS,
        max_examples_per_batch=5 * NEIGHBOURS,
    )  # fmt: skip
    np.testing.assert_allclose(ours, theirs, rtol=1e-3)
