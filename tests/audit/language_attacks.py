"""What attacks find in language models by how they were fine-tuned, and what an attack costs.

python -m tests.audit.language_attacks [--models 5]

`order`: the same 40 of 80 made-up records, forty epochs, by four ways of fine-tuning; the attack with the base model as
its reference. arXiv 2504.21036 has full > LoRA > prefix > DP. `attacks`: each attack of the ladder on LoRA models with
16 replicas, its AUC, how many members it finds at 1 % false alarms, and the seconds of training that it needs.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import nn

from audit.config.recipe import PrivacySection
from audit.evidence.language import language_evidence
from audit.evidence.sequence_answers import sequence_answers
from audit.population.populate import rows_of
from audit.trainers.causal_lm import fine_tune, losses, schedule_of, step_of
from audit.trainers.language_task import LanguageTask
from probes.membership.attacks import ladder
from probes.membership.target import target_of
from probes.plan import Plan, Splits
from probes.statistics.roc import auc
from probes.statistics.student_t import t_critical
from probes.statistics.threshold import tpr_at_true_fpr
from tests.audit import language_models

EPOCHS, RATE = 40, 5e-3
PREFIX = 8
"""Virtual tokens."""
BY_REPLICAS = ("calibrated", "empirical-bayes", "lira", "rmia")
"""What the names of attacks begin with that need replicas."""


def full(task: LanguageTask, seed: int) -> nn.Module:
    assert task.training is not None
    whole = task.training.model_copy(update={"adapter": None, "lr": 2e-3})
    return fine_tune(task.base, task.inputs, task.pool.member, whole, seed)


def lora(task: LanguageTask, seed: int) -> nn.Module:
    assert task.training is not None
    return fine_tune(task.base, task.inputs, task.pool.member, task.training, seed)


def prefix(task: LanguageTask, seed: int) -> nn.Module:
    """Prefix tuning (Li & Liang 2021) by PEFT."""
    import peft

    assert task.training is not None
    torch.manual_seed(seed)
    config = peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=PREFIX)
    network = peft.get_peft_model(copy.deepcopy(task.base), config)
    optimizer = torch.optim.AdamW([one for one in network.parameters() if one.requires_grad], lr=3e-2)
    for batch in schedule_of(task.pool.member, task.training, seed):
        optimizer.zero_grad()
        torch.autograd.backward(losses(network, step_of(task.inputs, [batch]))[0])
        optimizer.step()
    made: nn.Module = network.eval()
    return made


def private(task: LanguageTask, seed: int) -> nn.Module:
    assert task.training is not None
    section = PrivacySection(epsilon=8.0, accountant="rdp")
    training = task.training.model_copy(update={"privacy": section, "batch_size": 20})
    return fine_tune(task.base, task.inputs, task.pool.member, training, seed)


WAYS: Mapping[str, Callable[[LanguageTask, int], nn.Module]] = {
    "full": full,
    "LoRA": lora,
    "prefix": prefix,
    "DP-LoRA, ε = 8": private,
}


def task_of(seed: int) -> LanguageTask:
    made = language_models.task(EPOCHS, members=40, held_out=40, seed=seed, train=False)
    assert made.training is not None
    return dataclasses.replace(made, training=made.training.model_copy(update={"lr": RATE}))


def order(models: int) -> None:
    for name, way in WAYS.items():
        found, gains = [], []
        for seed in range(models):
            task = task_of(seed)
            own, base = (sequence_answers(one, task.inputs) for one in (way(task, seed), task.base))
            gain = (own.average(own.log_prob) - base.average(base.log_prob))[0]
            found.append(auc(gain, task.pool.member).value)
            gains.append(float(gain[~task.pool.member].mean()))
        print(f"{name:>15}: AUC {shown(found)}; held-out gain over the base {shown(gains)} nats per token", flush=True)


def attacks(models: int) -> None:
    areas, rates, seconds = defaultdict(list), defaultdict(list), []
    for seed in range(models):
        task = task_of(seed)
        task = dataclasses.replace(task, audited=lora(task, 1000 + seed))
        began = time.process_time()
        evidence = language_evidence(task, rows_of(Plan.of(Splits(repeats=8)), task.pool, seed), seed)
        seconds.append(time.process_time() - began)
        scores = ladder(target_of(evidence, evidence.population.design("splits"), np.random.default_rng(seed)))
        member = task.pool.member[task.pool.indices]
        for name, score in scores.items():
            areas[name].append(auc(score, member).value)
            rates[name].append(tpr_at_true_fpr(score, member, 0.01, name=name).value)
    for name in sorted(areas, key=lambda one: -np.mean(areas[one])):
        cost = float(np.mean(seconds)) if name.startswith(BY_REPLICAS) else 0.0
        told = f"AUC {shown(areas[name])}, found at 1 %: {shown(rates[name])}"
        print(f"{name:>25}: {told}, {cost:.1f} CPU s of replicas", flush=True)


def shown(values: list[float]) -> str:
    """The mean over models with Student's t interval at 95 %."""
    half = t_critical(0.95, len(values) - 1) * float(np.std(values, ddof=1)) / len(values) ** 0.5
    return f"{np.mean(values):.3f} ({np.mean(values) - half:.3f} to {np.mean(values) + half:.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=5, help="at least 2")
    models = parser.parse_args().models
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    order(models)
    attacks(models)


if __name__ == "__main__":
    main()
