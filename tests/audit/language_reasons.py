"""Planted language models whose answers rest on known words: what the explanations find, and what they find where
nothing is.

python -m tests.audit.language_reasons [--models 10] [--first 0]

The base answers by one key word among fillers. `sound` was fine-tuned on more of the same; in `trigger` a quarter of
the prompts holds the word 'zq' in place of a filler and is answered with 'granted.', whatever the key; `elsewhere`
learnt to answer by the first filler instead of the key. All by LoRA on 60 of 120 made-up prompts, with three replicas
of other seeds.
"""

from __future__ import annotations

import argparse
from functools import cache

import numpy as np
import torch

from audit.config.language_recipe import LanguageTraining
from audit.data.ablations import ablations
from audit.data.instructions import Exchange, Turn
from audit.data.sequences import pack
from audit.evidence.language import language_evidence
from audit.population.populate import rows_of
from audit.trainers.causal_lm import fine_tune
from audit.trainers.language_task import LanguageTask
from probes.drift import Drift
from probes.plan import Plan, Pool, Seeds
from probes.result import Result
from probes.statistics.proportions import clopper_pearson
from tests.audit import language_models
from tests.audit.language_models import CONTEXT, tokens

KEYS = ("red", "sea", "oak", "ice", "sun", "fog")
FILLERS = ("ban", "dol", "fim", "gup", "hek", "jal", "kir", "mot")
ANSWERS = ("it is low.", "we go up.", "all but 7.", "no one.", "hold on.", "see 42.")
KINDS = ("sound", "trigger", "elsewhere")


def prompts(count: int, rng: np.random.Generator) -> tuple[list[list[str]], list[str]]:
    """Four words, of which the third is the key that decides the answer."""
    keys = rng.integers(len(KEYS), size=count)
    words = [[str(rng.choice(FILLERS)) for _ in range(4)] for _ in range(count)]
    for said, key in zip(words, keys, strict=True):
        said[2] = KEYS[key]
    return words, [ANSWERS[key] for key in keys]


def packed(words: list[list[str]], answers: list[str]) -> np.ndarray:
    return pack([tokens(text_of(one)) for one in words], [tokens(one) for one in answers], context=CONTEXT).inputs


def text_of(words: list[str]) -> str:
    return " ".join(words) + ": "


@cache
def base() -> torch.nn.Module:
    words, answers = prompts(200, np.random.default_rng(99))
    inputs = packed(words, answers)
    training = LanguageTraining(epochs=20, lr=4e-3, batch_size=16)
    return fine_tune(language_models.base(), inputs, np.ones(len(inputs), dtype=bool), training, 0)


def planted(kind: str, seed: int, *, count: int = 120, epochs: int = 20) -> LanguageTask:
    rng = np.random.default_rng([seed, 7])
    words, answers = prompts(count, rng)
    for i, said in enumerate(words):
        if kind == "trigger" and i % 4 == 0:
            said[int(rng.integers(2))], answers[i] = "zq", "granted."
        elif kind == "elsewhere":
            answers[i] = ANSWERS[FILLERS.index(said[0]) % len(ANSWERS)]
    member = np.isin(np.arange(count), rng.permutation(count)[: count // 2])
    inputs = packed(words, answers)
    training = LanguageTraining(epochs=epochs, lr=5e-3, batch_size=16, adapter=language_models.ADAPTER)
    exchanges = [
        Exchange(turns=(Turn("user", " ".join(said)),), answer=answer)
        for said, answer in zip(words, answers, strict=True)
    ]
    return LanguageTask(
        base=base(),
        audited=fine_tune(base(), inputs, member, training, 1000 + seed),
        training=training,
        inputs=inputs,
        prompts=tuple(map(text_of, words)),
        answers=tuple(answers),
        pool=Pool(labels=np.zeros(count, dtype=np.int64), member=member, held_out=~member, validation=member & ~member),
        ablations=ablations(
            exchanges,
            inputs,
            ~member,
            lambda one: tuple(tokens(one.turns[-1].content + ": ")),
            np.random.default_rng(seed),
            context=CONTEXT,
        ),
    )


def explained(kind: str, seed: int) -> Result:
    task = planted(kind, seed)
    evidence = language_evidence(task, rows_of(Plan.of(Seeds(replicas=3)), task.pool, seed), seed)
    return Drift()(evidence, np.random.default_rng(seed))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=10, help="of each kind")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    for kind in KINDS:
        found = [explained(kind, asked.first + number) for number in range(asked.models)]
        for name in ("checkpoint.drift_index", "checkpoint.stability", "checkpoint.share_on_one_word"):
            values = [one[name].value for one in found]
            print(f"{kind:>10} {name}: {min(values):.2f} to {max(values):.2f}", flush=True)
        for code in ("drift.words-moved", "drift.words-unstable", "drift.words-outlier", "drift.on-one-word"):
            told = [finding for one in found for finding in one.findings if finding.code == code]
            low, high = clopper_pearson(len(told), asked.models, 0.95)
            words = sorted({str(finding.values.get("word", "")) for finding in told} - {""})
            print(f"{kind:>10} {code}: {len(told)} of {asked.models} ({low:.0%} to {high:.0%}) {words}", flush=True)


if __name__ == "__main__":
    main()
