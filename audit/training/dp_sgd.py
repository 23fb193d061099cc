"""DP-SGD (Abadi et al. 2016) through Opacus, with checks against the mistakes that make its ε wrong.

Opacus reports the same ε whether minibatches are Poisson samples or not, and trusts the given sample rate; here both
the sampling (`minibatches.poisson`) and the rate are our own, and the drawn batch sizes are checked against the rate.
The neighbouring relation is adding or removing one member; validation samples are not protected.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor, nn

from audit.config.recipe import PrivacySection
from probes.errors import PrivacyError
from probes.evidence import PrivacyClaim

# A Binomial this many deviations from its mean does not have the claimed rate (two-sided p about 1e-12).
DEVIATIONS = 7.0

VACUOUS = 100.0


@dataclass(frozen=True, kw_only=True)
class Accounting:
    """Everything from which ε is computed, and ε by two accountants: PRV (tight) and RDP (an older upper bound)."""

    noise_multiplier: float
    clip_norm: float
    sample_rate: float
    steps: int
    delta: float
    accountant: str
    epsilon_prv: float
    epsilon_rdp: float

    @property
    def claim(self) -> PrivacyClaim:
        epsilon = self.epsilon_prv if self.accountant == "prv" else self.epsilon_rdp
        return PrivacyClaim(epsilon=epsilon, delta=self.delta, accountant=self.accountant)


def noise_for(section: PrivacySection, rate: float, steps: int) -> float:
    """σ as given, or the smallest that meets the target ε after `steps` steps according to the accountant."""
    if section.noise_multiplier is not None:
        return section.noise_multiplier
    from opacus.accountants.utils import get_noise_multiplier

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sigma: float = get_noise_multiplier(
                target_epsilon=section.epsilon,
                target_delta=section.delta,
                sample_rate=rate,
                steps=steps,
                accountant=section.accountant,
            )
    except ValueError as error:
        raise PrivacyError(
            f"no noise multiplier reaches epsilon = {section.epsilon}: {error}",
            where="[privacy]",
            do="Allow a larger epsilon.",
        ) from error
    return sigma


def account(section: PrivacySection, sigma: float, rate: float, steps: int) -> Accounting:
    """ε of `steps` Poisson-sampled Gaussian steps.

    Above VACUOUS the RDP bound is used for both: the grid that PRV would need does not fit into memory.
    """
    rdp = _epsilon("rdp", sigma, rate, steps, section.delta)
    prv = rdp if rdp > VACUOUS else _epsilon("prv", sigma, rate, steps, section.delta)
    return Accounting(
        noise_multiplier=sigma,
        clip_norm=section.clip_norm,
        sample_rate=rate,
        steps=steps,
        delta=section.delta,
        accountant=section.accountant,
        epsilon_prv=prv,
        epsilon_rdp=rdp,
    )


def _epsilon(name: str, sigma: float, rate: float, steps: int, delta: float) -> float:
    from opacus.accountants import create_accountant

    accountant = create_accountant(mechanism=name)
    accountant.history = [(sigma, rate, steps)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # RDP warns when its best order is at the edge of the grid
        return float(accountant.get_epsilon(delta=delta))


def _in_rows(layer: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (given[0].contiguous(), *given[1:])


def per_sample(network: nn.Module) -> tuple[nn.Module, Callable[[], None]]:
    """The network with hooks that keep each sample's gradient, and a function that removes the hooks.

    Opacus 1.6 reads a convolution's input as if it were contiguous, and silently gives wrong gradients if it is
    channels-last (as after every convolution of a one-channel image): so it is made contiguous.

    Raises PrivacyError on a layer that has no per-sample gradient.
    """
    from opacus import GradSampleModule
    from opacus.validators import ModuleValidator

    if errors := ModuleValidator.validate(network, strict=False):
        raise PrivacyError(
            f"{type(network).__name__}: {errors[0]}",
            where="[privacy]",
            do="Use layers that treat samples one by one (GroupNorm, LayerNorm).",
        )
    try:
        wrapped = GradSampleModule(network, loss_reduction="mean")
    except NotImplementedError as error:
        raise PrivacyError(f"{type(network).__name__}: {error}", where="[privacy]") from error
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv1d | nn.Conv2d | nn.Conv3d)]
    handles = [layer.register_forward_pre_hook(_in_rows) for layer in convolutions]

    def release() -> None:
        wrapped.to_standard_module()
        for handle in handles:
            handle.remove()

    return wrapped, release


@contextmanager
def expected_warnings() -> Iterator[None]:
    """Opacus also hooks the first layer, whose input has no gradient; torch's warning at every step is harmless."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Full backward hook is firing")
        yield


def private_optimizer(
    optimizer: torch.optim.Optimizer,
    section: PrivacySection,
    sigma: float,
    expected: float,
    noise: torch.Generator,
    after_noise: Callable[[], None] | None,
) -> torch.optim.Optimizer:
    """Clips each sample's gradient, adds N(0, (σC)²) to their sum, divides by the expected batch size; `after_noise`
    may change the gradient before each step."""
    from opacus.optimizers import DPOptimizer

    private = DPOptimizer(
        optimizer,
        noise_multiplier=sigma,
        max_grad_norm=section.clip_norm,
        expected_batch_size=expected,
        loss_reduction="mean",
        generator=noise,
    )
    if after_noise is not None:
        private.attach_step_hook(lambda _: after_noise())
    made: torch.optim.Optimizer = private
    return made


def check_sampling(sizes: Int[np.ndarray, " steps"], kept: int, rate: float) -> None:
    """Raises PrivacyError if batch sizes are not those of Poisson sampling at this rate.

    Sizes of Poisson samples are Binomial(kept, rate): their mean must be right, and they must vary.
    """
    expected, deviation = kept * rate, np.sqrt(kept * rate * (1 - rate))
    mean_off = abs(sizes.mean() - expected) > DEVIATIONS * deviation / np.sqrt(len(sizes))
    if mean_off and deviation > 0:
        raise PrivacyError(
            f"minibatches have {sizes.mean():.1f} samples on average, but a sample rate of {rate:.4f} gives "
            f"{expected:.1f}: the accounted epsilon would be wrong."
        )
    if deviation > 1 and len(sizes) >= 20 and np.ptp(sizes) == 0:
        raise PrivacyError(
            f"every minibatch has {int(sizes[0])} samples: that is not Poisson sampling, which the accounted "
            "epsilon assumes."
        )


def check_buffers(before: dict[str, Tensor], network: nn.Module) -> None:
    """Raises PrivacyError if a buffer changed: private data reached it without noise."""
    after = dict(network.named_buffers())
    for name, value in before.items():
        if not torch.equal(value, after[name]):
            raise PrivacyError(
                f"buffer {name} was rewritten from the private data, which is not accounted for.",
                where=type(network).__name__,
                do="Freeze or fold its layer.",
            )
