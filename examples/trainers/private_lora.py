"""A language model's LoRA adapter trained with DP-SGD, with canaries in its training data: the audit gives a lower
bound on ε.

pip install 'transfer-audit[train,huggingface]'
python examples/trainers/private_lora.py
audit run --model private-example/adapter --canaries private-example/canaries.json
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

import audit
from audit.checkpoints.lora_folder import write_adapter
from audit.config.language_recipe import language_recipe_of
from audit.data.instructions import Instructions
from audit.data.tokenised import tokenised
from audit.record.recording import Recording
from audit.trainers.causal_lm import fine_tune
from audit.trainers.lora import adapter_state

WORDS = ["[UNK]", *(f"w{number}" for number in range(60))]
# ε of this training follows from its noise, sampling rate and steps; `epsilon = 8` instead determines the noise.
TRAIN = {
    "epochs": 20,
    "lr": 5e-3,
    "batch_size": 40,
    "adapter": {"rank": 4, "alpha": 8, "targets": ["c_attn", "c_proj", "c_fc"]},
    "privacy": {"noise_multiplier": 1.0, "delta": 1e-5, "clip_norm": 1.0},
}


def data(folder: Path) -> Path:
    """Made-up questions and answers with a train and a test part; replace them by your data."""
    rng = np.random.default_rng(0)

    def rows(count: int) -> list[dict[str, str]]:
        asked, said = rng.choice(WORDS[1:], (count, 4)), rng.choice(WORDS[1:25], (count, 4))
        return [
            {"prompt": " ".join(one), "completion": " ".join(other)} for one, other in zip(asked, said, strict=True)
        ]

    path = folder / "data.json"
    path.write_text(json.dumps({"train": rows(80), "test": rows(80)}))
    return path


def base(folder: Path) -> Path:
    """A tiny base with its tokenizer; in practice, a downloaded model."""
    words = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[UNK]", model_max_length=32).save_pretrained(folder)
    torch.manual_seed(0)
    special = {"bos_token_id": None, "eos_token_id": None}
    config = GPT2Config(vocab_size=len(WORDS), n_positions=32, n_embd=32, n_layer=2, n_head=2, **special)
    GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


def train(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    start, out, mixed = base(folder / "base"), folder / "adapter", folder / "mixed.jsonl"
    # Before training: the same rows with canaries among them, and the secret list of the canaries.
    audit.canaries(data(folder), out=mixed, secret=folder / "canaries.json", count=64, words=4, seed=0)
    rows = Instructions(path=mixed).exchanges(Path())
    read = tokenised(rows, PreTrainedTokenizerFast.from_pretrained(start), context=32)
    trained = np.array([row.part == "train" for row in rows])
    recipe = language_recipe_of({"train": TRAIN}, "recipe").train
    network = fine_tune(GPT2LMHeadModel.from_pretrained(start).eval(), read.inputs, trained, recipe, seed=0)
    write_adapter(out, recipe.adapter, adapter_state(network, 0), "../base", transposed=True)
    where = {"kind": "instructions", "path": mixed}
    with Recording(out, data=where, recipe={"train": TRAIN}, base=start) as record:
        record.trained([one[0][one[0] >= 0].tolist() for one in read.inputs[trained]])
    return out


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "private-example")
    print(f"audit run --model {train(folder)} --canaries {folder / 'canaries.json'}")
