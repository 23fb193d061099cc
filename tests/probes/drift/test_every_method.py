"""Every method by its name, once, on a small network of each modality: a map of the inputs' positions, or a reason."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from audit.models.graph_rewrite import prepare
from probes.drift.explain import names as naming
from probes.drift.observables.attribution import LEFT_OUT, Attribution, heard
from probes.observable import Subject
from probes.texts import texts
from tests.probes.drift.networks import Tokens, images

SAMPLES, CLASSES = 4, 3
REFUSED = {
    "image": {"layer-integrated-gradients", "ShapleyValues"},
    "table": {"layer-integrated-gradients", "grad-cam", "GuidedGradCam", "LayerGradCam"},
    "text": {
        "integrated-gradients", "saliency", "input-x-gradient", "deep-lift", "gradient-shap", "grad-cam",
        "Deconvolution", "DeepLift", "DeepLiftShap", "GradientShap", "GuidedBackprop", "GuidedGradCam",
        "InputXGradient", "IntegratedGradients", "InternalInfluence", "LayerConductance", "LayerDeepLiftShap",
        "LayerGradientShap", "NoiseTunnel", "Saliency", "LRP", "LayerLRP", "LayerGradCam",
    },
}  # fmt: skip
"""What has no answer: squares of an image are too many for exact Shapley values, token ids have no gradient, one number
for all of a table is no map, ..."""


def small(modality: str) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    if modality == "text":
        return Tokens().eval(), torch.randint(1, 20, (SAMPLES, 5))
    if modality == "table":
        return nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, CLASSES)).eval(), torch.randn(SAMPLES, 5)
    network = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Conv2d(6, 8, 3, padding=1), nn.ReLU(),
        nn.Flatten(), nn.Linear(8 * 16, CLASSES),
    )  # fmt: skip
    return network.eval(), images(SAMPLES)


@pytest.mark.parametrize("modality", REFUSED)
@pytest.mark.parametrize("method", [*naming.OURS, *naming.CAPTUM])
@pytest.mark.filterwarnings("ignore:Input Tensor")
def test_a_method_answers_or_says_why_not(method: str, modality: str) -> None:
    network, inputs = small(modality)
    prepared = prepare(network, inputs).eval().requires_grad_(False)
    weights = {name: value.clone() for name, value in prepared.state_dict().items()}
    subject = Subject(
        name="audited", role="audited", network=prepared, embed=prepared, same_labels=True, modality=modality
    )
    arrays = Attribution(methods=(method,), target="label")(
        subject, inputs, torch.arange(SAMPLES) % CLASSES, np.random.default_rng(0)
    )
    reasons = heard(arrays[LEFT_OUT])
    assert set(reasons) == ({method} & REFUSED[modality])
    if not reasons:
        maps = arrays[f"maps/{method}"]
        assert len(maps) == SAMPLES
        assert np.isfinite(maps).all()
        assert method == "Lime" or maps.any()  # a lasso may leave nothing
    for reason in reasons.values():
        assert not texts("en").say(reason).startswith(("RuntimeError", "AttributeError"))
    assert not any(module.__dict__.get("rule") for module in prepared.modules())
    assert all(torch.equal(value, weights[name]) for name, value in prepared.state_dict().items())
