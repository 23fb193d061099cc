"""LoRA replicas trained all at once against one after another: a small GPT-2, 16 adapters, sequences of 64 tokens.

python benchmarks/adapters.py [--replicas 16] [--samples 64] [--epochs 2] [--width 128]

Both train the same replicas (tests/audit/engines/test_adapters.py compares them) on one thread, in turn.
"""

import argparse
import time

import numpy as np
import torch
from setting import random_sequences, small_gpt2

from audit.config.language_recipe import Adapter, LanguageTraining
from audit.engines.adapters import train_adapters
from audit.trainers.causal_lm import fine_tune

VOCABULARY, LENGTH, TURNS = 2000, 64, 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicas", type=int, default=16)
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--width", type=int, default=128)
    given = parser.parse_args()
    torch.set_num_threads(1)
    base = small_gpt2(VOCABULARY, LENGTH, given.width, layers=4, heads=4)
    rng = np.random.default_rng(0)
    inputs = random_sequences(given.samples, LENGTH, VOCABULARY, rng)
    halves = [rng.permutation(given.samples) < given.samples // 2 for _ in range(given.replicas)]
    kept, seeds = np.array(halves), list(range(given.replicas))
    adapter = Adapter(rank=8, targets=("c_attn", "c_proj", "c_fc"))
    training = LanguageTraining(epochs=given.epochs, batch_size=8, adapter=adapter)
    together, alone = [], []
    for _ in range(TURNS):
        began = time.perf_counter()
        for one, seed in zip(kept, seeds, strict=True):
            fine_tune(base, inputs, one, training, seed)
        alone.append(time.perf_counter() - began)
        began = time.perf_counter()
        list(train_adapters(base, inputs, kept, training, seeds))
        together.append(time.perf_counter() - began)
    print(f"{given.replicas} adapters one after another {min(alone):.2f} s, at once {min(together):.2f} s:", end=" ")
    print(f"{min(alone) / min(together):.2f} ×, one thread")


if __name__ == "__main__":
    main()
