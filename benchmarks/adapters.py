"""LoRA replicas at once against one after another: a small GPT-2, 16 adapters, sequences of 64 tokens.

python benchmarks/adapters.py [--replicas 16] [--samples 64] [--epochs 2] [--width 128]

Both train the same replicas (tests/audit/engines/test_adapters.py holds them to each other) on one thread, in turn.
"""

import argparse
import time

import numpy as np
import torch
import transformers

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
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=VOCABULARY,
        n_positions=LENGTH,
        n_embd=given.width,
        n_layer=4,
        n_head=4,
        bos_token_id=None,
        eos_token_id=None,
    )
    base = transformers.GPT2LMHeadModel(config).eval()
    rng = np.random.default_rng(0)
    inputs = np.stack([rng.integers(0, VOCABULARY, (given.samples, LENGTH)), np.ones((given.samples, LENGTH), int)], 1)
    inputs[:, 1, 0] = 0
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
