"""A Lightning module and its data, with a callback that leaves an audit record beside the checkpoint.

pip install 'transfer-audit[train,lightning]'
python examples/trainers/lightning_module.py
audit run --model lightning-example --trust-code

The record holds a copy of this file, from which the audit builds the network again: that is why it asks for trust.
"""

import sys
from pathlib import Path

import lightning
import numpy as np
import torch
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset

from audit.record.lightning import AuditRecord


class Classifier(lightning.LightningModule):
    def __init__(self, hidden=32, lr=0.01):
        super().__init__()
        self.save_hyperparameters()
        layers = torch.nn
        self.model = layers.Sequential(
            layers.Flatten(), layers.Linear(64, hidden), layers.ReLU(), layers.Linear(hidden, 10)
        )

    def training_step(self, batch, index):
        return torch.nn.functional.cross_entropy(self.model(batch[0]), batch[1])

    def test_step(self, batch, index):
        self.log("test_acc", (self.model(batch[0]).argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=self.hparams.lr)


def train(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    features, labels = load_digits(return_X_y=True)
    some = np.random.default_rng(0).permutation(len(labels))[:600]
    X, y = (features[some] / 16).astype("float32"), labels[some]
    np.savez(folder / "digits.npz", images=X, labels=y)
    lightning.seed_everything(1)
    whole = TensorDataset(torch.from_numpy(X), torch.from_numpy(y))
    seen, unseen = (torch.utils.data.Subset(whole, range(first, first + 300)) for first in (0, 300))
    # The line that an audit needs: the callback, with the location of the data.
    record = AuditRecord(folder, data={"kind": "npz", "path": str(folder / "digits.npz"), "modality": "table"})
    trainer = lightning.Trainer(
        max_epochs=10, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, callbacks=[record], default_root_dir=folder,
    )  # fmt: skip
    module = Classifier()
    trainer.fit(module, DataLoader(seen, batch_size=32, shuffle=True))
    trainer.save_checkpoint(folder / "last.ckpt")
    trainer.test(module, DataLoader(unseen, batch_size=300), verbose=False)
    return folder


if __name__ == "__main__":
    made = train(Path(sys.argv[1] if len(sys.argv) > 1 else "lightning-example"))
    print(f"audit run --model {made} --trust-code")
