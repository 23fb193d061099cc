"""A Hugging Face text classifier, fine-tuned by transformers.Trainer with its own arguments.

pip install 'transfer-audit[huggingface]' accelerate
python examples/trainers/transformers_text.py
"""

import numpy as np
import torch
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

rng = np.random.default_rng(0)
y = rng.integers(0, 2, 160)
texts = [" ".join(rng.choice(["prize", "call", "now"] if spam else ["home", "tea", "late"], 6)) for spam in y]
WORDS = {word: number for number, word in enumerate(sorted({w for text in texts for w in text.split()}), start=1)}


def rows(indices, labels):
    """Tokens with their attention masks; a real model brings its tokenizer."""
    return [
        {"input_ids": [WORDS[w] for w in texts[i].split()], "attention_mask": [1] * 6, "labels": int(labels[i])}
        for i in indices
    ]


def data():
    return texts, y, range(80)


def train(fit):
    config = BertConfig(
        vocab_size=len(WORDS) + 1, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    arguments = TrainingArguments(
        output_dir=str(fit.folder), seed=fit.seed, num_train_epochs=2, learning_rate=1e-2, report_to=[],
        save_strategy="no", disable_tqdm=True, logging_strategy="no", use_cpu=fit.device == "cpu",
    )  # fmt: skip
    trainer = Trainer(BertForSequenceClassification(config), arguments, train_dataset=rows(fit.kept, fit.labels))
    trainer.train()
    return lambda asked: trainer.predict(rows(asked, fit.labels)).predictions


if __name__ == "__main__":
    import audit

    torch.set_num_threads(1)
    print(audit.run(None, data()[:2], members=range(80), trainer=train, out="transformers-report").verdict.status)
