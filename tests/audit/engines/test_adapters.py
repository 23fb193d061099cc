"""Adapters trained together equal those of the loop, and LoRA equals PEFT's if that is installed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from audit.config.language_recipe import Adapter, LanguageTraining
from audit.data.sequences import pack
from audit.engines.adapters import AT_ONCE, affordable, clip_each, train_adapters
from audit.evidence.sequence_answers import sequence_answers
from audit.trainers.causal_lm import fine_tune, losses, minibatches, step_of
from audit.trainers.lora import adapter_state, load_adapter, with_adapters
from probes.errors import RecipeError

transformers = pytest.importorskip("transformers")

SAMPLES = 14
ADAPTER = Adapter(rank=2, alpha=4, targets=("c_attn", "c_proj"))
TRAINING = LanguageTraining(epochs=2, lr=0.02, batch_size=4, clip_norm=0.5, warmup=0.2, adapter=ADAPTER)


@pytest.fixture(scope="module")
def base() -> torch.nn.Module:
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=11, n_positions=16, n_embd=16, n_layer=2, n_head=2, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0
    )
    config.initializer_range = 0.4  # with the usual one, logits of 16 units can hardly be moved
    return transformers.GPT2LMHeadModel(config).eval()


@pytest.fixture(scope="module")
def inputs() -> np.ndarray:
    rng = np.random.default_rng(0)
    lengths = rng.integers(2, 8, (SAMPLES, 2))
    words = [[rng.integers(0, 11, n).tolist() for n in column] for column in lengths.T]
    return pack(*words, context=16).inputs


@pytest.fixture(scope="module")
def kept() -> np.ndarray:
    rng = np.random.default_rng(1)
    return np.array([np.isin(np.arange(SAMPLES), rng.permutation(SAMPLES)[:7]) for _ in range(3)])


def test_replicas_at_once_are_those_of_the_visible_loop(
    base: torch.nn.Module, inputs: np.ndarray, kept: np.ndarray
) -> None:
    before = {name: value.clone() for name, value in base.state_dict().items()}
    together = list(train_adapters(base, inputs, kept, TRAINING, [5, 6, 7]))
    for mine, own, seed in zip(together, kept, (5, 6, 7), strict=True):
        alone = adapter_state(fine_tune(base, inputs, own, TRAINING, seed), 0)
        assert alone.keys() == mine.keys()
        for name, value in alone.items():
            torch.testing.assert_close(mine[name], value, atol=2e-4, rtol=2e-3)
    assert all(torch.equal(before[name], value) for name, value in base.state_dict().items())


def test_packed_rows_hold_every_sequence_once_and_are_trained_on(
    base: torch.nn.Module, inputs: np.ndarray, kept: np.ndarray
) -> None:
    training = TRAINING.model_copy(update={"packing": 16, "batch_size": 3})
    rows = np.concatenate([of[batch] for of, batch in minibatches(inputs, kept[0], training, 5)[0]])
    mine = inputs[kept[0]]
    assert len(rows) < len(mine)
    for scored in (0, 1):
        there = (rows[:, 0] >= 0) & (rows[:, 1] == scored), (mine[:, 0] >= 0) & (mine[:, 1] == scored)
        assert sorted(rows[:, 0][there[0]]) == sorted(mine[:, 0][there[1]])
    told = sequence_answers(base, rows[:1])
    with torch.no_grad():
        lost = float(losses(base, step_of(rows, [np.array([0])]))[0])
    assert lost == pytest.approx(-told.log_prob.mean(), abs=1e-4)
    taught = sequence_answers(fine_tune(base, inputs, kept[0], training, 5), mine)
    assert taught.log_prob.mean() > sequence_answers(base, mine).log_prob.mean()


def test_training_teaches_what_is_kept(base: torch.nn.Module, inputs: np.ndarray, kept: np.ndarray) -> None:
    taught = fine_tune(base, inputs, kept[0], TRAINING.model_copy(update={"epochs": 60, "lr": 0.1}), 5)
    whole = fine_tune(base, inputs, kept[0], LanguageTraining(epochs=20, lr=0.01), 5)
    untaught = sequence_answers(base, inputs)
    for network in (taught, whole):
        found = sequence_answers(network, inputs)
        gain = found.average(found.log_prob)[0] - untaught.average(untaught.log_prob)[0]
        assert gain[kept[0]].mean() > 0.5
        assert gain[kept[0]].mean() > gain[~kept[0]].mean() + 0.5


def test_an_adapter_is_loaded_as_it_was_kept(base: torch.nn.Module, inputs: np.ndarray, kept: np.ndarray) -> None:
    trained = fine_tune(base, inputs, kept[0], TRAINING, 5)
    again = with_adapters(base, ADAPTER, [99])
    load_adapter(again, adapter_state(trained, 0))
    found, expected = sequence_answers(again.eval(), inputs), sequence_answers(trained, inputs)
    assert (found.log_prob == expected.log_prob).all()


def test_a_fresh_adapter_changes_nothing(base: torch.nn.Module, inputs: np.ndarray) -> None:
    fresh = sequence_answers(with_adapters(base, ADAPTER, [3]).eval(), inputs)
    assert fresh.log_prob == pytest.approx(sequence_answers(base, inputs).log_prob, abs=1e-6)


def test_each_replica_is_clipped_on_its_own() -> None:
    weights = [torch.nn.Parameter(torch.zeros(2, 3, 4)), torch.nn.Parameter(torch.zeros(2, 5, 1))]
    gradients = [torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0)) * 3, torch.full((2, 5, 1), 0.01)]
    gradients[0][1] *= 1e-3
    for weight, gradient in zip(weights, gradients, strict=True):
        weight.grad = gradient.clone()
    clip_each(weights, 1.0)
    for replica in range(2):
        alone = [torch.nn.Parameter(torch.zeros(gradient[replica].shape)) for gradient in gradients]
        for one, gradient in zip(alone, gradients, strict=True):
            one.grad = gradient[replica].clone()
        torch.nn.utils.clip_grad_norm_(alone, 1.0)
        for one, weight in zip(alone, weights, strict=True):
            assert weight.grad is not None
            assert one.grad is not None
            assert weight.grad[replica].numpy() == pytest.approx(one.grad.numpy())


def test_memory_is_planned_before_it_is_taken(base: torch.nn.Module, inputs: np.ndarray) -> None:
    assert affordable(base, inputs, TRAINING, 1) == 1
    assert affordable(base, inputs, TRAINING, 1 << 40) == AT_ONCE
    middle = affordable(base, inputs, TRAINING, 1 << 20)
    assert 1 <= middle <= affordable(base, inputs, TRAINING, 1 << 22) <= AT_ONCE


def test_what_cannot_be_trained_together_is_said(base: torch.nn.Module, inputs: np.ndarray, kept: np.ndarray) -> None:
    uneven = kept.copy()
    uneven[0] = True
    with pytest.raises(RecipeError, match="the same number of"):
        list(train_adapters(base, inputs, uneven, TRAINING, [1, 2, 3]))
    with pytest.raises(RecipeError, match="without an adapter"):
        list(train_adapters(base, inputs, kept, LanguageTraining(), [1, 2, 3]))
    with pytest.raises(RecipeError, match="no layer of GPT2LMHeadModel has a name ending in q_proj"):
        with_adapters(base, Adapter(targets=("q_proj",)), [1])
    with pytest.raises(RecipeError, match="keeps no sample"):
        fine_tune(base, inputs, np.zeros(SAMPLES, dtype=bool), TRAINING, 1)
