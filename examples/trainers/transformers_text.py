"""A Hugging Face text classifier, fine-tuned by transformers.Trainer with arguments that also train the replicas.

pip install 'transfer-audit[train,huggingface]'
python examples/trainers/transformers_text.py
audit run --trainer examples/trainers/transformers_text.py:train
"""

import tempfile

import numpy as np
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

from audit.trainers.transformers import inputs_of, retrained

rng = np.random.default_rng(0)
y = rng.integers(0, 2, 160)
texts = [" ".join(rng.choice(["prize", "call", "now"] if spam else ["home", "tea", "late"], 6)) for spam in y]
WORDS = {word: number for number, word in enumerate(sorted({w for text in texts for w in text.split()}), start=1)}
# A real model has its own tokenizer.
rows = [
    {"input_ids": [WORDS[w] for w in text.split()], "labels": int(label)} for text, label in zip(texts, y, strict=True)
]


def make(chosen):
    """What the script contains anyway: the model made from its base, and the Trainer with its arguments."""
    config = BertConfig(
        vocab_size=len(WORDS) + 1, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    arguments = TrainingArguments(
        output_dir=tempfile.mkdtemp(), num_train_epochs=2, learning_rate=1e-2, weight_decay=0.01, warmup_steps=2,
        lr_scheduler_type="cosine", label_smoothing_factor=0.1, report_to=[], use_cpu=True,
    )  # fmt: skip
    return Trainer(BertForSequenceClassification(config), arguments, train_dataset=chosen)


# The lines that an audit needs: a trainer that builds this Trainer for each replica, and the data.
train = retrained(make, rows)


def data():
    return {"features": inputs_of(rows), "labels": y, "members": range(80), "texts": texts}


if __name__ == "__main__":
    import audit

    print(audit.run(None, data(), trainer=train, out="transformers-report").verdict.status)
