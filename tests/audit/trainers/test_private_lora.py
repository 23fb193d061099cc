"""LoRA by DP-SGD: clipped as a slow reference clips, noise where it is asked, and a claim that the audit holds to."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

pytest.importorskip("transformers")

from audit.config.language_recipe import LanguageTraining
from audit.config.recipe import PrivacySection
from audit.trainers.causal_lm import fine_tune, step_of
from audit.trainers.lora import LoRALinear, adapter_state, with_adapters
from audit.trainers.private_lora import accounted, minibatches, sequence_losses
from probes.errors import RecipeError
from tests.audit import language_models

NOISELESS = PrivacySection(noise_multiplier=1e-9, clip_norm=0.05)
KEPT = np.arange(32) < 12


def training(**changes: object) -> LanguageTraining:
    made = {"epochs": 1, "lr": 1e-2, "batch_size": 4, "adapter": language_models.ADAPTER, "privacy": NOISELESS}
    return LanguageTraining(**{**made, **changes})  # type: ignore[arg-type]


def slowly(kept: np.ndarray, asked: LanguageTraining, seed: int) -> dict[str, torch.Tensor]:
    """Each sequence's gradient alone, clipped, summed, over the expected size of a minibatch."""
    made = language_models.task(1)
    assert asked.adapter is not None
    assert asked.privacy is not None
    network = with_adapters(made.base, asked.adapter, [seed]).train()
    weights = [one for one in network.parameters() if one.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=asked.lr, weight_decay=0)
    batches = list(minibatches(kept, asked, seed))
    for number, batch in enumerate(batches):
        total = [torch.zeros_like(one) for one in weights]
        for sample in batch:
            step = step_of(made.inputs, [np.array([sample])])
            loss = sequence_losses(network, step.ids[0], step.scored[0]).sum()
            gradients = torch.autograd.grad(loss, weights)
            norm = torch.stack([one.norm() for one in gradients]).norm()
            factor = min(1.0, asked.privacy.clip_norm / (float(norm) + 1e-6))
            total = [one + factor * gradient for one, gradient in zip(total, gradients, strict=True)]
        for one, gradient in zip(weights, total, strict=True):
            one.grad = gradient / (kept.sum() * asked.epochs / len(batches))
        optimizer.param_groups[0]["lr"] = asked.lr * asked.rate(number, len(batches))
        optimizer.step()
    return adapter_state(network, 0)


def test_without_noise_it_is_clipping_sequence_by_sequence() -> None:
    asked = training()
    found = adapter_state(fine_tune(language_models.base(), language_models.task(1).inputs, KEPT, asked, 3), 0)
    for name, value in slowly(KEPT, asked, 3).items():
        # Adam makes a step of full size of the noise where a gradient is zero but for rounding.
        assert float((found[name] - value).abs().gt(2e-4).float().mean()) < 0.01, name


def test_the_adapter_is_as_any_other_afterwards() -> None:
    made = fine_tune(language_models.base(), language_models.task(1).inputs, KEPT, training(), 0)
    assert not made.training
    assert sum(isinstance(one, LoRALinear) for one in made.modules()) == 8
    assert not any(type(one).__name__ == "Parallel" for one in made.modules())


def test_seeds_draw_noise_and_minibatches() -> None:
    loud = training(privacy=PrivacySection(noise_multiplier=1.0))
    made = [fine_tune(language_models.base(), language_models.task(1).inputs, KEPT, loud, seed) for seed in (0, 0, 1)]
    first, again, other = (next(iter(adapter_state(one, 0).values())) for one in made)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_an_empty_minibatch_is_a_step_of_noise() -> None:
    rare = training(batch_size=1, privacy=PrivacySection(noise_multiplier=1.0))
    assert min(len(one) for one in minibatches(KEPT, rare, 0)) == 0
    state = adapter_state(fine_tune(language_models.base(), language_models.task(1).inputs, KEPT, rare, 0), 0)
    assert all(torch.isfinite(value).all() for value in state.values())


def test_epsilon_is_of_its_own_noise_rate_and_steps() -> None:
    found = accounted(training(epochs=4, privacy=PrivacySection(noise_multiplier=2.0, accountant="rdp")), 12)
    assert (found.steps, found.sample_rate, found.noise_multiplier) == (12, 1 / 3, 2.0)
    assert found.epsilon_rdp == pytest.approx(found.claim.epsilon)


def test_whole_models_are_not_trained_privately() -> None:
    with pytest.raises(RecipeError, match=r"train\.privacy: is for adapters"):
        fine_tune(language_models.base(), language_models.task(1).inputs, KEPT, training(adapter=None), 0)


def test_replicas_of_a_private_model_are_private() -> None:
    from audit.population.language_replicas import groups, together
    from audit.population.populate import rows_of
    from probes.plan import Plan, Splits

    made = dataclasses.replace(language_models.task(1), training=training())
    rows = rows_of(Plan.of(Splits(repeats=2)), made.pool, 0)
    assert not together(made)
    assert [len(group) for group in groups(made, rows, 1 << 30)] == [1] * len(rows)
