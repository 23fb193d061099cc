"""A PEFT LoRA adapter whose training writes an audit record: auditing its folder needs nothing else.

pip install 'transfer-audit[train,huggingface,peft]'
python examples/trainers/lora_adapter.py
audit run --model lora-example/adapter
"""

import csv
import sys
from pathlib import Path

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    BertForSequenceClassification,
    PreTrainedTokenizerFast,
    Trainer,
    TrainingArguments,
)

from audit.record.transformers import AuditRecord

WORDS = ["[PAD]", "[UNK]", "prize", "call", "now", "win", "home", "tea", "late", "soon"]


def data(folder: Path) -> Path:
    """Made-up messages as a table; replace them by your data."""
    rng = np.random.default_rng(0)
    path = folder / "messages.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["label", "text"])
        for spam in rng.integers(0, 2, 160):
            words = np.where(
                rng.random(6) < 0.7, rng.choice(WORDS[2:6] if spam else WORDS[6:], 6), rng.choice(WORDS[2:], 6)
            )
            rows.writerow([("ham", "spam")[spam], " ".join(words)])
    return path


def base(folder: Path) -> Path:
    """A tiny base with its tokenizer; in practice, a downloaded model."""
    words = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    BertForSequenceClassification(
        BertConfig(vocab_size=len(WORDS), max_position_embeddings=16, **sizes)
    ).save_pretrained(folder)
    return folder


def train(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    table, start, out = data(folder), base(folder / "base"), folder / "adapter"
    read = PreTrainedTokenizerFast.from_pretrained(start)
    with table.open() as file:
        rows = [{**read(row["text"]), "labels": int(row["label"] == "spam")} for row in csv.DictReader(file)]
    network = get_peft_model(
        AutoModelForSequenceClassification.from_pretrained(start),
        LoraConfig(task_type="SEQ_CLS", r=4, lora_dropout=0.1, target_modules=["query", "value", "dense"]),
    )
    arguments = TrainingArguments(
        output_dir=str(folder / "run"), num_train_epochs=8, learning_rate=2e-2, per_device_train_batch_size=16,
        report_to=[], save_strategy="no", logging_strategy="no", disable_tqdm=True, use_cpu=True,
    )  # fmt: skip
    # The two lines that an audit needs: the callback, and the location of the data.
    record = AuditRecord(out, data={"kind": "text", "path": str(table), "text": "text", "label": "label"})
    trainer = Trainer(
        network, arguments, train_dataset=rows[:80], eval_dataset=rows[80:], processing_class=read, callbacks=[record],
        compute_metrics=lambda told: {"accuracy": float((told[0].argmax(1) == told[1]).mean())},
    )  # fmt: skip
    trainer.train()
    trainer.save_model(str(out))
    trainer.evaluate()
    return out


if __name__ == "__main__":
    print(f"audit run --model {train(Path(sys.argv[1] if len(sys.argv) > 1 else 'lora-example'))}")
