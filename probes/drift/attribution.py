"""Attributions by Captum, as an observable: what each model looks at in the same samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Float, Int, Shaped

from probes.errors import ConfigError, did_you_mean
from probes.observable import Role, Subject, choose_stratified
from probes.plan import Pool

if TYPE_CHECKING:
    from torch import Tensor

BATCH = 16
Target = Literal["label", "embedding"]
Scorer = Callable[["Tensor"], "Tensor"]


def _integrated_gradients(scorer: Scorer, inputs: Tensor, steps: int) -> Tensor:
    """Sundararajan, Taly & Yan 2017, from the zero of the normalised input, at Gauss–Legendre points."""
    from captum.attr import IntegratedGradients

    found: Tensor = IntegratedGradients(scorer).attribute(
        inputs, n_steps=steps, method="gausslegendre", internal_batch_size=BATCH * steps
    )
    return found


def _saliency(scorer: Scorer, inputs: Tensor, steps: int) -> Tensor:
    """Signed gradient (Simonyan, Vedaldi & Zisserman 2014)."""
    from captum.attr import Saliency

    found: Tensor = Saliency(scorer).attribute(inputs, abs=False)
    return found


def _input_x_gradient(scorer: Scorer, inputs: Tensor, steps: int) -> Tensor:
    """Shrikumar et al. 2016."""
    from captum.attr import InputXGradient

    found: Tensor = InputXGradient(scorer).attribute(inputs)
    return found


METHODS: Mapping[str, Callable[[Scorer, Any, int], Any]] = {
    "integrated-gradients": _integrated_gradients,
    "saliency": _saliency,
    "input-x-gradient": _input_x_gradient,
}


def label_scorer(network: Callable[[Tensor], Tensor], labels: Tensor) -> Scorer:
    """The label's logit; labels are repeated in step with the interpolation points of a batch."""

    def score(inputs: Tensor) -> Tensor:
        logits = network(inputs)
        repeated = labels.repeat(len(inputs) // len(labels))
        return logits.gather(1, repeated[:, None])[:, 0]

    return score


def norm_scorer(embed: Callable[[Tensor], Tensor]) -> Scorer:
    """The embedding's norm: a target that source and audited model both have, whatever their labels."""

    def score(inputs: Tensor) -> Tensor:
        norms: Tensor = embed(inputs).flatten(1).norm(dim=1)
        return norms

    return score


def attribute(method: str, scorer_of: Callable[[slice], Scorer], inputs: Tensor, steps: int) -> Tensor:
    """Of all inputs, batch by batch, summed over channels: [samples height width] or [samples features]."""
    import torch

    parts = []
    for start in range(0, len(inputs), BATCH):
        chosen = slice(start, start + BATCH)
        batch = inputs[chosen].detach().clone().requires_grad_()
        parts.append(METHODS[method](scorer_of(chosen), batch, steps).detach())
    joined = torch.cat(parts)
    return joined.sum(dim=1) if joined.ndim == 4 else joined


@dataclass(frozen=True, kw_only=True)
class Attribution:
    """One method's attributions on `samples` held-out samples, stratified by class.

    Gives `maps` [chosen ...] and, for integrated gradients, `residual` [chosen]: |Σ attributions − (f(x) − f(0))| as a
    share of |f(x) − f(0)|, the completeness axiom's error.
    """

    method: str = "integrated-gradients"
    target: Target = "embedding"
    samples: int = 40
    steps: int = 8
    seeds: int = 3

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ConfigError(f"unknown attribution method {self.method!r}. {did_you_mean(self.method, METHODS)}")

    @property
    def models(self) -> Mapping[Role, int]:
        return {"audited": 1, "source": 1, "reference": 1, "seeds": self.seeds, "randomised": 2}

    def choose(self, pool: Pool, rng: np.random.Generator) -> Int[np.ndarray, " chosen"]:
        return choose_stratified(np.flatnonzero(pool.held_out), pool.labels, self.samples, rng)

    def __call__(
        self,
        subject: Subject,
        inputs: Float[Tensor, "chosen ..."],
        labels: Int[Tensor, " chosen"],
        rng: np.random.Generator,
    ) -> Mapping[str, Shaped[np.ndarray, "..."]]:
        import torch

        if not inputs.is_floating_point() or (self.target == "label" and not subject.same_labels):
            return {}  # token ids have no gradient

        def scorer_of(chosen: slice) -> Scorer:
            if self.target == "label":
                return label_scorer(subject.network, labels[chosen])
            return norm_scorer(subject.embed)

        maps = attribute(self.method, scorer_of, inputs, self.steps)
        arrays = {"maps": maps.cpu().numpy().astype(np.float32)}
        if self.method == "integrated-gradients":
            with torch.no_grad():
                whole = scorer_of(slice(None))
                difference = whole(inputs) - whole(torch.zeros_like(inputs))
            residual = (maps.flatten(1).sum(dim=1) - difference).abs() / difference.abs().clamp(min=1e-6)
            arrays["residual"] = residual.cpu().numpy().astype(np.float64)
        return arrays
