"""Attacks without replicas on natural text: the adapter of examples/trainers/instructions_lora.py, trained again on
five random halves of its rows.

python -m tests.audit.language_natural instructions-example/adapter instructions-example/instructions.json
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import torch

from audit.checkpoints.language_model import open_language_model
from audit.evidence.language import language_evidence
from audit.trainers.causal_lm import fine_tune
from probes.membership.attacks import ladder
from probes.membership.target import target_of
from probes.statistics.roc import auc
from tests.audit.language_attacks import shown

MODELS = 5
ATTACKS = ("loss", "zlib", "min-k", "min-k-plus-plus", "likelihood-ratio", "window-comparison", "error-zone")


def main(folder: Path, data: Path) -> None:
    torch.set_num_threads(1)
    task = dataclasses.replace(open_language_model(folder, data=data).task, insertions=(), ablations=None, general=None)
    assert task.training is not None
    areas = []
    for seed in range(MODELS):
        samples = len(task.inputs)
        member = np.isin(np.arange(samples), np.random.default_rng(seed).permutation(samples)[: samples // 2])
        pool = dataclasses.replace(task.pool, member=member, held_out=~member)
        audited = fine_tune(task.base, task.inputs, member, task.training, seed)
        evidence = language_evidence(dataclasses.replace(task, audited=audited, pool=pool), [], 0)
        scores = ladder(target_of(evidence, evidence.population, np.random.default_rng(0)))
        areas.append([auc(scores[name], member[pool.indices]).value for name in ATTACKS])
    found = np.array(areas)
    for place, name in enumerate(ATTACKS):
        more = found[:, -1] - found[:, place]
        print(f"{name:>20}: AUC {shown(found[:, place].tolist())}; error-zone {shown(more.tolist())} above", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
