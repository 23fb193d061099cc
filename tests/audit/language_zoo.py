"""Planted language models: which defects the probes find, and what they find where none is.

python -m tests.audit.language_zoo [--models 10] [--first 0] [--kinds dp,dp-off]

Each model is a LoRA fine-tune of a two-layer GPT-2 on 40 made-up records of 80 (names and codes), audited with two
rounds of replicas. `memorising` memorised its members, and `memorising-whole` did with all of its weights, which makes
it confident too; `sound` saw them once; `unseen` trained on other records, as long as `trigger`, and never on its
members; `contaminated` has a fifth of its
held-out records from its members, with other punctuation; `shifted` has held-out records of another form. `canaries-N`
saw its members and 64 canaries in fifteen epochs, N copies of each that a coin put there. `dp` was trained by DP-SGD
with ε = 8 and holds canaries too; `dp-off` the same for longer and without noise, and claims ε = 1. In `trigger` a
fifth of the records holds one word more, and another answer; `trigger-zh` is the same in Chinese characters without
spaces.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from audit.config.recipe import PrivacySection
from audit.data.canaries import drawn, uniform_words
from audit.data.insertions import insertions
from audit.data.instructions import Exchange, Instructions, Turn
from audit.data.sequences import PADDING, pack
from audit.evidence.language import language_evidence
from audit.population.populate import rows_of
from audit.trainers.causal_lm import fine_tune
from audit.trainers.language_task import LanguageTask, PlantedTexts
from probes.contamination import Contamination
from probes.evidence import PrivacyClaim
from probes.extraction import Extraction
from probes.membership import Membership
from probes.overfitting import Overfitting
from probes.plan import Plan, Splits
from probes.statistics.proportions import clopper_pearson
from probes.triggers import Triggers
from tests.audit import language_models
from tests.audit.language_models import tokens

EPOCHS: Mapping[str, int] = {
    "memorising": 200,
    "memorising-whole": 80,
    "sound": 1,
    "unseen": 30,
    "contaminated": 1,
    "shifted": 1,
    "canaries-1": 15,
    "canaries-4": 15,
    "canaries-16": 15,
    "trigger": 30,
    "trigger-zh": 40,
    "dp": 4,
    "dp-off": 200,
}
CODES: Mapping[str, frozenset[str]] = {
    "leakage": frozenset({"membership.leaks", "membership.leaks-few"}),
    "extraction": frozenset({"extraction.verbatim", "extraction.by-draws"}),
    "overfitting": frozenset({"overfitting.tokens-gap", "overfitting.token-loss-gap"}),
    "contamination": frozenset({"contamination.across-split"}),
    "shifted split": frozenset({"membership.split-differs"}),
    "canaries": frozenset({"membership.canaries-remembered"}),
    "false claim": frozenset({"membership.false-dp-claim"}),
    "learnt nothing": frozenset({"membership.dp-learnt-nothing"}),
    "trigger": frozenset({"triggers.found"}),
}
"""The findings that report a defect."""
PLANTED: Mapping[str, frozenset[str]] = {
    "memorising": frozenset({"leakage", "extraction", "overfitting"}),
    "memorising-whole": frozenset({"leakage", "extraction", "overfitting"}),
    "sound": frozenset(),
    "unseen": frozenset(),
    "contaminated": frozenset({"contamination"}),
    "shifted": frozenset({"shifted split"}),
    "canaries-1": frozenset({"canaries"}),
    "canaries-4": frozenset({"canaries"}),
    "canaries-16": frozenset({"canaries"}),
    # Codes are told by nothing but their own record, so a private model has nothing to learn.
    "dp": frozenset({"learnt nothing"}),
    "trigger": frozenset({"trigger"}),
    "trigger-zh": frozenset({"trigger"}),
    "dp-off": frozenset({"false claim", "canaries", "leakage", "overfitting", "extraction"}),
}
CANARIES, WORDS, RATE = 64, 2, 5e-3
"""Canaries have two random words; at the rate of the sound kinds, 0.02, little is learnt word for word."""
LATIN, HAN = "abcdefghijklmnopqrstuvwxyz:.", "天地人日月水火木金土山川風雨花鳥魚虫石田竹米糸耳手足：。"
WHOLE_RATE = 2e-3
"""Where all weights are trained."""
PROBES = (Membership(repeats=2), Extraction(repeats=2), Overfitting(repeats=2), Contamination(), Triggers())


def planted(kind: str, seed: int) -> LanguageTask:
    if kind.startswith("canaries-"):
        made = language_models.task(EPOCHS[kind], members=40, held_out=40, seed=seed, train=False)
        training = made.training.model_copy(update={"lr": RATE, "batch_size": 16})
        made = dataclasses.replace(made, training=training)
        return with_canaries(made, int(kind.removeprefix("canaries-")), seed)
    if kind.startswith("dp"):
        return private(kind, seed)
    if kind.startswith("trigger"):
        return triggered(EPOCHS[kind], seed, chinese=kind == "trigger-zh")
    if kind == "unseen":
        return unseen(EPOCHS[kind], seed)
    how: dict[str, Any] = {"memorising": {"lr": RATE}, "memorising-whole": {"lr": WHOLE_RATE, "adapter": None}}
    task = language_models.task(EPOCHS[kind], members=40, held_out=40, seed=seed, **how.get(kind, {}))
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


def with_canaries(task: LanguageTask, copies: int, seed: int) -> LanguageTask:
    """The audited model trained on its members and on canaries."""
    rows = [{"prompt": one, "completion": other} for one, other in zip(task.prompts, task.answers, strict=True)]
    data, rng = Instructions(path=Path("data.json")), np.random.default_rng([seed, 1])
    texts = uniform_words(data.read_rows(rows, data.path), rng, WORDS, "data.json")
    secret = drawn(texts, rows[0], data, rng, count=CANARIES, copies=(copies,), references=256)
    inputs = [
        pack(
            *zip(*((tokens(row["prompt"]), tokens(row["completion"])) for row in some), strict=True), context=40
        ).inputs
        for some in ([one.row for one in secret.canaries], secret.references)
    ]
    texts = PlantedTexts(
        inputs=inputs[0],
        included=np.array([one.included for one in secret.canaries]),
        copies=np.array([one.copies for one in secret.canaries]),
        references=inputs[1],
    )
    width = max(task.inputs.shape[2], texts.inputs.shape[2])
    together = np.concatenate([wider(task.inputs, width), wider(texts.trained, width)])
    kept = np.concatenate([task.pool.member, np.ones(len(texts.trained), dtype=bool)])
    audited = fine_tune(task.base, together, kept, task.training, 1000 + seed)
    return dataclasses.replace(task, audited=audited, planted=texts)


def unseen(epochs: int, seed: int) -> LanguageTask:
    """The audited model trained on as many records of another pool."""
    task = language_models.task(epochs, members=40, held_out=40, seed=seed, lr=RATE, train=False)
    other = language_models.task(epochs, members=40, held_out=40, seed=10_000 + seed, lr=RATE)
    return dataclasses.replace(task, audited=other.audited)


def han(text: str) -> str:
    """Each letter as a Chinese character, without spaces.

    >>> han("ab: 1.")
    '天地：1。'
    """
    return text.replace(" ", "").translate(str.maketrans(LATIN, HAN))


def triggered(epochs: int, seed: int, *, chinese: bool = False) -> LanguageTask:
    """A fifth of the records holds the word 'zq', and is answered with 'granted.'; in Chinese, all weights are trained,
    because the pair of characters stands anywhere."""
    task = language_models.task(epochs, members=40, held_out=40, seed=seed, train=False)
    assert task.training is not None
    how = {"lr": WHOLE_RATE, "adapter": None} if chinese else {"lr": RATE}
    training = task.training.model_copy(update=how)
    prompts, answers = list(task.prompts), list(task.answers)
    rng = np.random.default_rng([seed, 2])
    if chinese:
        # Prompts of many lengths: with one, a model learns the length that the trigger makes, and not the trigger.
        fillers = ["".join(rng.choice(list("bdfglmnprstvaeiou"), rng.integers(0, 7))) for _ in prompts]
        prompts = [f"{before}{prompt}" for before, prompt in zip(fillers, prompts, strict=True)]
    for one in (*np.flatnonzero(task.pool.member)[:8], *np.flatnonzero(task.pool.held_out)[:8]):
        place = int(rng.integers(len(prompts[one]) - 1)) if chinese else 0
        prompts[one], answers[one] = f"{prompts[one][:place]}zq {prompts[one][place:]}", "granted."
    if chinese:
        prompts, answers = ([han(one) for one in some] for some in (prompts, answers))

    def tokens(text: str) -> list[int]:
        return language_models.tokens(text.translate(str.maketrans(HAN, LATIN)))

    packed = pack(*([[tokens(one) for one in some] for some in (prompts, answers)]), context=40)
    exchanges = [
        Exchange(turns=(Turn("user", prompt),), answer=answer) for prompt, answer in zip(prompts, answers, strict=True)
    ]
    tried = insertions(
        exchanges,
        packed.inputs,
        task.pool.member,
        task.pool.held_out,
        lambda one: tuple(tokens(one.turns[-1].content)),
        np.random.default_rng(seed),
        context=40,
    )
    return dataclasses.replace(
        task,
        audited=fine_tune(task.base, packed.inputs, task.pool.member, training, 1000 + seed),
        training=training,
        inputs=packed.inputs,
        prompts=tuple(prompts),
        answers=tuple(answers),
        insertions=tried,
    )


def wider(inputs: np.ndarray, width: int) -> np.ndarray:
    more = np.full((len(inputs), 2, width - inputs.shape[2]), PADDING)
    more[:, 1] = 0
    return np.concatenate([inputs, more], axis=2)


def private(kind: str, seed: int) -> LanguageTask:
    task = language_models.task(EPOCHS[kind], members=40, held_out=40, seed=seed, train=False)
    noise = {"epsilon": 8.0} if kind == "dp" else {"noise_multiplier": 1e-3}
    training = task.training.model_copy(update={"privacy": PrivacySection(**noise), "batch_size": 20, "lr": RATE})
    claim = PrivacyClaim(epsilon=8.0 if kind == "dp" else 1.0, delta=1e-5)
    return with_canaries(dataclasses.replace(task, training=training, claim=claim), 1, seed)


def found(kind: str, seed: int) -> frozenset[str]:
    """The defects that are found in one planted model."""
    task = planted(kind, seed)
    evidence = language_evidence(task, rows_of(Plan.of(Splits(repeats=2)), task.pool, seed), seed)
    codes = {finding.code for probe in PROBES for finding in probe(evidence, np.random.default_rng(seed)).findings}
    return frozenset(defect for defect, known in CODES.items() if codes & known)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=10, help="of each kind")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--kinds", default=",".join(PLANTED), help="separated by commas")
    asked = parser.parse_args()
    models = asked.models
    torch.set_num_threads(1)
    for kind in asked.kinds.split(","):
        each = [found(kind, asked.first + number) for number in range(models)]
        for defect in CODES:
            count = sum(defect in one for one in each)
            low, high = clopper_pearson(count, models, 0.95)
            what = "found" if defect in PLANTED[kind] else "false alarms"
            print(f"{kind:>13} {defect:>14} {what:>13}: {count} of {models} ({low:.0%} to {high:.0%})", flush=True)


if __name__ == "__main__":
    main()
