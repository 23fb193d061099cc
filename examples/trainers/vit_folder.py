"""A Vision Transformer in the folder that `save_pretrained` writes: the audit is given the data, the split and the
base.

pip install 'transfer-audit[train,huggingface]'
python examples/trainers/vit_folder.py
audit run --model vit-example/model --base vit-example/base --recipe vit-example/recipe.toml --trust-code

The training arguments are in training_args.bin, a pickle, which is read only with --trust-code.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from transformers import Trainer, TrainingArguments, ViTConfig, ViTForImageClassification, ViTImageProcessor

RECIPE = """
[data]
kind = "digits"

[split]
file = "split.npz"
"""


def train(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    pictures, labels = load_digits(return_X_y=True)
    members = np.random.default_rng(0).permutation(len(labels))[:600]
    np.savez(folder / "split.npz", members=members[:300], held_out=members[300:])
    (folder / "recipe.toml").write_text(RECIPE)
    torch.manual_seed(0)
    config = ViTConfig(
        image_size=8, patch_size=4, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        num_labels=10,
    )  # fmt: skip
    ViTForImageClassification(config).save_pretrained(folder / "base")
    # The audit reads images according to the processor's configuration: scaled to 0..1, then normalised.
    values = torch.from_numpy((pictures / 16).reshape(-1, 1, 8, 8)).float().repeat(1, 3, 1, 1)
    rows = [{"pixel_values": (values[i] - 0.5) / 0.5, "labels": int(labels[i])} for i in members[:300]]
    arguments = TrainingArguments(
        output_dir=str(folder / "run"), num_train_epochs=5, learning_rate=3e-3, per_device_train_batch_size=32,
        report_to=[], save_strategy="no", logging_steps=10, disable_tqdm=True, use_cpu=True,
    )  # fmt: skip
    network = ViTForImageClassification.from_pretrained(folder / "base")
    trainer = Trainer(network, arguments, train_dataset=rows)
    trainer.train()
    trainer.save_model(str(folder / "model"))
    ViTImageProcessor(size={"height": 8, "width": 8}).save_pretrained(folder / "model")
    return folder


if __name__ == "__main__":
    made = train(Path(sys.argv[1] if len(sys.argv) > 1 else "vit-example"))
    print(f"audit run --model {made}/model --base {made}/base --recipe {made}/recipe.toml --trust-code")
