"""Planted language models: which defects the probes find, and what they find where none is.

python -m tests.audit.language_zoo [--models 5]

Each model is a LoRA fine-tune of a two-layer GPT-2 on 40 made-up records of 80 (names and codes), audited with two
rounds of replicas. `memorising` learnt its members by heart; `sound` saw them once; `contaminated` has a fifth of its
held-out records from its members, with other punctuation; `shifted` has held-out records of another form.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping

import numpy as np
import torch

from audit.data.sequences import pack
from audit.evidence.language import language_evidence
from audit.population.populate import rows_of
from audit.trainers.language_task import LanguageTask
from probes.contamination import Contamination
from probes.extraction import Extraction
from probes.membership import Membership
from probes.overfitting import Overfitting
from probes.plan import Plan, Splits
from probes.statistics.proportions import clopper_pearson
from tests.audit import language_models

EPOCHS: Mapping[str, int] = {"memorising": 200, "sound": 1, "contaminated": 1, "shifted": 1}
CODES: Mapping[str, frozenset[str]] = {
    "leakage": frozenset({"membership.leaks", "membership.leaks-few"}),
    "extraction": frozenset({"extraction.verbatim", "extraction.by-draws"}),
    "overfitting": frozenset({"overfitting.tokens-gap"}),
    "contamination": frozenset({"contamination.across-split"}),
    "shifted split": frozenset({"membership.split-differs"}),
}
"""The findings that speak of a defect."""
PLANTED: Mapping[str, frozenset[str]] = {
    "memorising": frozenset({"leakage", "extraction", "overfitting"}),
    "sound": frozenset(),
    "contaminated": frozenset({"contamination"}),
    "shifted": frozenset({"shifted split"}),
}
PROBES = (Membership(repeats=2), Extraction(repeats=2), Overfitting(repeats=2), Contamination())


def planted(kind: str, seed: int) -> LanguageTask:
    task = language_models.task(EPOCHS[kind], members=40, held_out=40, seed=seed)
    member, held_out = np.flatnonzero(task.pool.member), np.flatnonzero(task.pool.held_out)
    prompts, answers = list(task.prompts), list(task.answers)
    if kind == "contaminated":
        for one, other in zip(member[:8], held_out[:8], strict=True):
            prompts[other], answers[other] = prompts[one], answers[one].replace(".", " .")
    elif kind == "shifted":
        for one in held_out:
            answers[one] = answers[one].replace("the code is", "his number")
    else:
        return task
    packed = pack(*([[language_models.tokens(one) for one in some] for some in (prompts, answers)]), context=40)
    return dataclasses.replace(task, inputs=packed.inputs, prompts=tuple(prompts), answers=tuple(answers))


def found(kind: str, seed: int) -> frozenset[str]:
    """The defects that are found in one planted model."""
    task = planted(kind, seed)
    evidence = language_evidence(task, rows_of(Plan.of(Splits(repeats=2)), task.pool, seed), seed)
    codes = {finding.code for probe in PROBES for finding in probe(evidence, np.random.default_rng(seed)).findings}
    return frozenset(defect for defect, known in CODES.items() if codes & known)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=5, help="of each kind")
    models = parser.parse_args().models
    torch.set_num_threads(1)
    seen = {kind: [found(kind, seed) for seed in range(models)] for kind in PLANTED}
    for kind, each in seen.items():
        for defect in CODES:
            count = sum(defect in one for one in each)
            low, high = clopper_pearson(count, models, 0.95)
            what = "found" if defect in PLANTED[kind] else "false alarms"
            print(f"{kind:>13} {defect:>14} {what:>13}: {count} of {models} ({low:.0%} to {high:.0%})", flush=True)


if __name__ == "__main__":
    main()
