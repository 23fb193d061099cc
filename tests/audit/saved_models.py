"""Tiny models of transformers, saved as users save them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import torch

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "prize", "call", "now", "win", "home", "tea", "late", "soon")
SPAM, HAM = WORDS[4:8], WORDS[8:12]


def messages(folder: Path, samples: int = 60) -> Path:
    """A table of texts, `spam` from some words and `ham` from others."""
    rng = np.random.default_rng(0)
    path = folder / "messages.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["label", "text"])
        for label in rng.integers(0, 2, samples):
            rows.writerow([("ham", "spam")[label], " ".join(rng.choice((HAM, SPAM)[label], int(rng.integers(3, 8))))])
    return path


def tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=8, **special).save_pretrained(folder)


def text_classifier(folder: Path, *, shards: bool = False) -> tuple[Path, Path]:
    """(the model's folder, that of the masked language model it began as). Its first class is `spam`."""
    from transformers import BertConfig, BertForMaskedLM, BertForSequenceClassification

    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    base, model = folder / "base", folder / "model"
    BertForMaskedLM(BertConfig(vocab_size=len(WORDS), max_position_embeddings=16, **sizes)).save_pretrained(base)
    names = {"id2label": {0: "spam", 1: "ham"}, "label2id": {"spam": 0, "ham": 1}}
    made = BertForSequenceClassification.from_pretrained(base, **names)
    made.save_pretrained(model, **({"max_shard_size": "2KB"} if shards else {}))
    tokenizer(base)
    tokenizer(model)
    history = [{"step": 10, "learning_rate": 3e-3, "loss": 0.6}, {"step": 20, "learning_rate": 1e-5, "loss": 0.5}]
    state = {"num_train_epochs": 2, "train_batch_size": 8, "max_steps": 20, "log_history": history}
    (model / "trainer_state.json").write_text(json.dumps(state), encoding="utf-8")
    return model, base


def image_classifier(folder: Path) -> Path:
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    torch.manual_seed(0)
    config = ViTConfig(
        image_size=8, patch_size=4, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        id2label={0: "1", 1: "0"}, label2id={"1": 0, "0": 1},
    )  # fmt: skip
    model = folder / "vit"
    ViTForImageClassification(config).save_pretrained(model)
    ViTImageProcessor(size={"height": 8, "width": 8}).save_pretrained(model)
    return model
