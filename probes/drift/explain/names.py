"""The attribution methods by name; read from audit.toml, so nothing here imports torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from probes.errors import ConfigError, did_you_mean
from probes.evidence import Modality

OURS = (
    "integrated-gradients",
    "saliency",
    "input-x-gradient",
    "deep-lift",
    "gradient-shap",
    "grad-cam",
    "occlusion",
    "feature-ablation",
    "layer-integrated-gradients",
)
"""Methods with parameters chosen for audits."""

CAPTUM = (
    "Deconvolution",
    "DeepLift",
    "DeepLiftShap",
    "FeatureAblation",
    "FeaturePermutation",
    "GradientShap",
    "GuidedBackprop",
    "GuidedGradCam",
    "InputXGradient",
    "IntegratedGradients",
    "InternalInfluence",
    "KernelShap",
    "LRP",
    "LayerActivation",
    "LayerConductance",
    "LayerDeepLift",
    "LayerDeepLiftShap",
    "LayerFeatureAblation",
    "LayerFeaturePermutation",
    "LayerGradCam",
    "LayerGradientShap",
    "LayerGradientXActivation",
    "LayerIntegratedGradients",
    "LayerLRP",
    "Lime",
    "NoiseTunnel",
    "Occlusion",
    "Saliency",
    "ShapleyValueSampling",
    "ShapleyValues",
)
"""Every class of captum.attr that explains a score by its inputs or by a layer, under its own name and with its own
parameters. Methods for single neurons, and for language models' generations, answer other questions and are
excluded."""

BY_MODALITY: Mapping[Modality, tuple[str, ...]] = {
    "image": ("integrated-gradients", "grad-cam"),
    "table": ("integrated-gradients", "feature-ablation"),
    "text": ("layer-integrated-gradients", "feature-ablation"),
    "audio": ("integrated-gradients", "saliency"),
}
"""The default methods; the verdict rests on the first."""


def check(methods: Sequence[str]) -> None:
    """Raises ConfigError on an unknown method, or one listed twice."""
    for method in methods:
        if method not in OURS and method not in CAPTUM:
            known = (*OURS, *CAPTUM)
            raise ConfigError(f"unknown attribution method {method!r}. {did_you_mean(method, known)}", where="methods")
    if len(set(methods)) < len(methods):
        raise ConfigError("an attribution method is listed twice.", where="methods")


def chosen(methods: Sequence[str], modality: str) -> tuple[str, ...]:
    """The configured methods, or else the modality's defaults."""
    if methods:
        return tuple(methods)
    return next((names for name, names in BY_MODALITY.items() if name == modality), ("integrated-gradients",))
