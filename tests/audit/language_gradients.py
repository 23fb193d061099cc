"""Whether gradients say what replacement says: on planted models whose answers rest on one known word of four, how
often that word has the largest weight.

python -m tests.audit.language_gradients [--models 3] [--first 200]

Gradients: Captum's LLMGradientAttribution, with integrated gradients at the embeddings of tokens (50 steps, baseline
zero), absolute sums over a word's tokens. Replacement: the weights that the audit reports. Both are of the answer's
log-likelihood and of the same held-out prompts.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from captum.attr import LayerIntegratedGradients, LLMGradientAttribution, TextTokenInput

from audit.evidence.sequence_answers import sequence_answers
from audit.trainers.language_task import LanguageTask
from probes.statistics.proportions import clopper_pearson
from tests.audit import language_models
from tests.audit.language_reasons import KEYS, planted, text_of

STEPS = 50


def known_word(words: tuple[str, ...], answer: str) -> int | None:
    """The word that decides the answer: the trigger where the answer is its, else the key."""
    decides = ("zq",) if answer == "granted." else KEYS
    return next((place for place, word in enumerate(words) if word in decides), None)


def by_gradients(task: LanguageTask) -> list[np.ndarray]:
    """The weight of each word of each explained prompt."""
    assert task.ablations is not None
    tokenizer = language_models.tokenizer()
    gradients = LayerIntegratedGradients(task.audited, task.audited.get_input_embeddings())  # type: ignore[operator]
    method, found = LLMGradientAttribution(gradients, tokenizer), []
    for sample, words in zip(task.ablations.samples, task.ablations.words, strict=True):
        prompt = text_of(list(words))
        told = method.attribute(TextTokenInput(prompt, tokenizer), target=task.answers[sample], n_steps=STEPS)
        letters = np.abs(told.seq_attr.detach().numpy())
        starts = np.cumsum([0, *(len(word) + 1 for word in words)])
        found.append(
            np.array([letters[start : start + len(word)].sum() for start, word in zip(starts[:-1], words, strict=True)])
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=3, help="of each kind")
    parser.add_argument("--first", type=int, default=200, help="the first seed")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    for kind in ("sound", "trigger"):
        right, took, n = {"gradients": 0, "replacement": 0}, {"gradients": 0.0, "replacement": 0.0}, 0
        for seed in range(asked.first, asked.first + asked.models):
            task = planted(kind, seed)
            assert task.ablations is not None
            began = time.process_time()
            weights = task.ablations.weights(sequence_answers(task.audited, task.ablations.inputs))
            took["replacement"] += time.process_time() - began
            began = time.process_time()
            gradients = by_gradients(task)
            took["gradients"] += time.process_time() - began
            for row, (sample, words) in enumerate(zip(task.ablations.samples, task.ablations.words, strict=True)):
                decides = known_word(words, task.answers[sample])
                n += 1
                right["replacement"] += int(weights[row, : len(words)].argmax()) == decides
                right["gradients"] += int(gradients[row].argmax()) == decides
        for name, count in right.items():
            low, high = clopper_pearson(count, n, 0.95)
            print(f"{kind:>8} {name:>12}: {count} of {n} ({low:.0%} to {high:.0%}), {took[name]:.1f} CPU s", flush=True)


if __name__ == "__main__":
    main()
