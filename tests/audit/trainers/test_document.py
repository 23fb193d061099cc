"""The training code of docs/trainers.md does what it says, as a reader copies it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Subset, TensorDataset

from audit.data.record import NAME, Record
from audit.trainers.base import Fit
from tests.audit.saved_models import messages, text_classifier
from tests.documents import fenced

transformers = pytest.importorskip("transformers")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def block(part: str) -> str:
    """The one that holds this, with as many members as there are samples."""
    (found,) = (code for document, code in fenced("python") if document == "trainers.md" and part in code)
    return found.replace("range(800)", "range(30)")


def fit_of(given: dict[str, Any], folder: Path) -> Fit:
    folder.mkdir()
    kept, labels = np.arange(30), np.asarray(given["labels"])
    return Fit(kept=kept, labels=labels, seed=3, start="source", device="cpu", folder=folder)


def read(folder: Path) -> dict[str, Any]:
    """What a script has before its Trainer: a base, arguments, rows, labels, texts and a tokenizer."""
    lines = messages(folder).read_text(encoding="utf-8").splitlines()[1:]
    labels, texts = zip(*(line.split(",") for line in lines), strict=True)
    _, base = text_classifier(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    numbers = [int(label == "spam") for label in labels]
    encoded = tokenizer(list(texts), padding="max_length", truncation=True)
    rows = [{**{key: encoded[key][row] for key in encoded}, "labels": numbers[row]} for row in range(len(numbers))]
    arguments = transformers.TrainingArguments(
        str(folder / "run"), num_train_epochs=1, report_to=[], save_strategy="no", disable_tqdm=True, use_cpu=True
    )
    own = {"BASE": base, "arguments": arguments, "rows": rows, "y": numbers, "texts": list(texts)}
    return {**vars(transformers), "tokenizer": tokenizer, **own}


def test_a_trainer_of_transformers(tmp_path: Path) -> None:
    names: dict[str, Any] = {
        name: getattr(transformers, name) for name in ("Trainer", "AutoModelForSequenceClassification")
    }
    names |= read(tmp_path)
    exec(block("retrained(make"), names)
    given = names["data"]()
    network = names["train"](fit_of(given, tmp_path / "replica"))
    assert isinstance(network, nn.Module)
    with torch.no_grad():
        answers = network(torch.as_tensor(given["features"][:4]))
    assert getattr(answers, "logits", answers).shape == (4, 2)


def test_a_module_of_lightning_with_its_datamodule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lightning = pytest.importorskip("lightning")
    monkeypatch.chdir(tmp_path)
    features = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    labels = (features[:, 0] > 0).astype(np.int64)

    class Digits(lightning.LightningDataModule):  # type: ignore[misc, name-defined]
        def setup(self, stage: str | None = None) -> None:
            self.whole = TensorDataset(torch.from_numpy(features), torch.from_numpy(labels))

        def train_dataloader(self) -> DataLoader:
            return DataLoader(Subset(self.whole, range(30)), 10, shuffle=True)

        def test_dataloader(self) -> DataLoader:
            return DataLoader(Subset(self.whole, range(30, 60)), 10)

    class Classifier(lightning.LightningModule):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layer(x)  # type: ignore[no-any-return]

        def training_step(self, batch: Any, index: int) -> torch.Tensor:
            return nn.functional.cross_entropy(self(batch[0]), batch[1])

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=0.1)

    names: dict[str, Any] = {"Classifier": Classifier, "Digits": Digits, "Trainer": lightning.Trainer}
    exec(block("of_datamodule"), names)
    given = names["data"]()
    assert sorted(given["members"]) == list(range(30))
    network = names["train"](fit_of(given, tmp_path / "replica"))
    assert network(torch.from_numpy(features[:3])).shape == (3, 2)


def test_a_record_beside_the_weights_names_the_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = read(tmp_path)
    made = transformers.AutoModelForSequenceClassification.from_pretrained(names["BASE"])

    def trainer(*_: object, callbacks: list[Any]) -> Any:
        return transformers.Trainer(made, names["arguments"], train_dataset=names["rows"][:30], callbacks=callbacks)

    names["Trainer"] = trainer
    exec(block("callbacks=[AuditRecord("), names)
    names["trainer"].train()
    names["trainer"].save_model("model")
    assert Record.read(tmp_path / "model" / NAME).count("trained") == 30


def test_a_record_of_an_own_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets.py").write_text("from torch import nn\n\n\ndef network():\n    return nn.Linear(4, 2)\n")
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 4)).astype(np.float32), rng.integers(0, 2, 60)
    np.savez("digits.npz", X=X, y=y)
    exec(block("with Recording("), {"X_train": X[:30], "X_test": X[30:]})
    record = Record.read(tmp_path / "model" / NAME)
    assert (record.count("trained"), record.count("evaluated")) == (30, 30)
    assert record.measures == {"held_out_accuracy": 0.93}
