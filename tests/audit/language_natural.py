"""Attacks without replicas on natural text: the adapter of examples/trainers/instructions_lora.py, trained again on
random halves of its rows, or on its own members for other numbers of epochs.

python -m tests.audit.language_natural instructions-example/adapter instructions-example/instructions.json [--models 5]
python -m tests.audit.language_natural ... --epochs 1,3,5,10,20
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float64

from audit.checkpoints.language_model import open_language_model
from audit.evidence.language import language_evidence
from audit.trainers.causal_lm import fine_tune
from audit.trainers.language_task import LanguageTask
from probes.membership.attacks import ladder
from probes.membership.target import target_of
from probes.statistics.paired import paired_auc
from probes.statistics.roc import auc
from tests.audit.language_attacks import shown

ATTACKS = ("loss", "zlib", "min-k", "min-k-plus-plus", "likelihood-ratio", "window-comparison", "error-zone")


def scored(
    task: LanguageTask, member: Bool[np.ndarray, " samples"], seed: int, epochs: int | None = None
) -> Mapping[str, Float64[np.ndarray, " samples"]]:
    """The attacks' scores of a model that is trained on the members."""
    assert task.training is not None
    training = task.training if epochs is None else task.training.model_copy(update={"epochs": epochs})
    pool = dataclasses.replace(task.pool, member=member, held_out=~member & ~task.pool.validation)
    audited = fine_tune(task.base, task.inputs, member, training, seed)
    evidence = language_evidence(dataclasses.replace(task, audited=audited, pool=pool), [], 0)
    return ladder(target_of(evidence, evidence.population, np.random.default_rng(0)))


def over_models(task: LanguageTask, models: int) -> None:
    """AUC over models, each on another half of the rows."""
    samples, areas = len(task.inputs), []
    for seed in range(models):
        member = np.isin(np.arange(samples), np.random.default_rng(seed).permutation(samples)[: samples // 2])
        scores = scored(task, member, seed)
        areas.append([auc(scores[name], member).value for name in ATTACKS])
    found = np.array(areas)
    for place, name in enumerate(ATTACKS):
        more = found[:, -1] - found[:, place]
        print(f"{name:>20}: AUC {shown(found[:, place].tolist())}; error-zone {shown(more.tolist())} above", flush=True)


def over_epochs(task: LanguageTask, numbers: list[int]) -> None:
    """One model for each number of epochs, on the adapter's own members, with DeLong's interval of the difference."""
    member = task.pool.member
    for epochs in numbers:
        scores = scored(task, member, 0, epochs)
        each = ", ".join(f"{name} {auc(scores[name], member).value:.3f}" for name in ATTACKS)
        more = paired_auc("more", scores["error-zone"], scores["loss"], member)
        print(f"{epochs} epochs: {each}; error-zone minus loss {more.value:.3f} ({more.low:.3f} to {more.high:.3f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("adapter", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--models", type=int, default=5, help="at least 2")
    parser.add_argument("--epochs", help="numbers separated by commas, in place of models")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    opened = open_language_model(asked.adapter, data=asked.data).task
    task = dataclasses.replace(opened, insertions=(), ablations=None, general=None)
    if asked.epochs:
        over_epochs(task, [int(one) for one in asked.epochs.split(",")])
    else:
        over_models(task, asked.models)


if __name__ == "__main__":
    main()
