"""Libraries whose training fits in a function of a few lines, and estimators that are their own trainers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import audit
from audit.trainers.base import Fit
from probes.result import Failure
from reports.report import Report
from tests.audit.trainers.few import ONE

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
MEMBERS = range(150)


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    X, y = load_breast_cancer(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    return X[:300].astype(np.float32), y[:300]


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(30, 16), nn.ReLU(), nn.Linear(16, 2))


def audited(model: Any, data: Any, store: Path, **given: Any) -> Report:
    report = audit.run(model, data, members=MEMBERS, config=ONE, store=store, **given)
    assert not [result for result in report.results if isinstance(result, Failure)], report.results
    assert report.audit["replicas"]["splits"] == 4  # type: ignore[index, call-overload]
    assert report.estimate("overfitting", "recipe.held_out_accuracy").value > 0.85
    assert "differ" not in " ".join(map(str, report.audit["limits"]))  # type: ignore[arg-type]
    return report


def test_a_lightning_module_with_its_own_trainer(data: Any, tmp_path: Path) -> None:
    lightning = pytest.importorskip("lightning")

    class Module(lightning.LightningModule):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.network = network()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.network(x)  # type: ignore[no-any-return]

        def training_step(self, batch: Any, index: int) -> torch.Tensor:
            return nn.functional.cross_entropy(self(batch[0]), batch[1], label_smoothing=0.1)

        def configure_optimizers(self) -> Any:
            optimizer = torch.optim.AdamW(self.parameters(), lr=0.02)
            return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 5)]

    def train(fit: Fit) -> nn.Module:
        module, kept = Module(), TensorDataset(torch.from_numpy(fit.features), torch.from_numpy(fit.targets))
        lightning.Trainer(
            max_epochs=5, accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
            default_root_dir=fit.folder,
        ).fit(module, DataLoader(kept, 32, shuffle=True))  # fmt: skip
        return module

    report = audited(None, data, tmp_path, trainer=train)
    assert "not a torch network" not in " ".join(map(str, report.audit["limits"]))  # type: ignore[arg-type]


def test_a_lightning_module_with_its_datamodule(data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lightning = pytest.importorskip("lightning")
    from audit.trainers.lightning import of_datamodule

    monkeypatch.chdir(tmp_path)
    X, y = data
    started = []

    class Rows(lightning.LightningDataModule):  # type: ignore[misc, name-defined]
        def setup(self, stage: str | None = None) -> None:
            whole = TensorDataset(torch.from_numpy(X), torch.from_numpy(y))
            self.seen, self.unseen = (torch.utils.data.Subset(whole, part) for part in (range(150), range(150, len(X))))

        def train_dataloader(self) -> DataLoader:
            return DataLoader(self.seen, 32, shuffle=True)

        def val_dataloader(self) -> DataLoader:
            return DataLoader(self.unseen, 64)

    class Module(lightning.LightningModule):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.network = network()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.network(x)  # type: ignore[no-any-return]

        def on_train_start(self) -> None:
            started.append(tuple(self.trainer.train_dataloader.dataset.indices))

        def training_step(self, batch: Any, index: int) -> torch.Tensor:
            return nn.functional.cross_entropy(self(batch[0]), batch[1])

        def validation_step(self, batch: Any, index: int) -> None:
            self.log("val_loss", nn.functional.cross_entropy(self(batch[0]), batch[1]))

        def configure_optimizers(self) -> Any:
            return torch.optim.AdamW(self.parameters(), lr=0.02)

    train, handed = of_datamodule(Module, lambda: lightning.Trainer(max_epochs=3, accelerator="cpu"), Rows())
    given = handed()
    assert np.array_equal(given["features"], X)
    assert np.array_equal(given["labels"], y)
    audited(None, (given["features"], given["labels"]), tmp_path / "store", trainer=train, workers=1)
    assert len(set(started)) > 3  # replicas train on other rows
    assert {len(one) for one in started} == {150}
    assert not (tmp_path / "lightning_logs").exists()


def test_a_fastai_learner(data: Any, tmp_path: Path) -> None:
    learning = pytest.importorskip("fastai.learner")
    loading = pytest.importorskip("fastai.data.core")
    pytest.importorskip("fastai.callback.progress")

    def train(fit: Fit) -> nn.Module:
        kept = TensorDataset(torch.from_numpy(fit.features), torch.from_numpy(fit.targets))
        loaders = loading.DataLoaders(DataLoader(kept, 32, shuffle=True), DataLoader(kept, 64))
        learner = learning.Learner(loaders, network(), loss_func=nn.CrossEntropyLoss(), path=fit.folder)
        with learner.no_bar(), learner.no_logging():
            learner.fit(4, 0.01)
        return learner.model  # type: ignore[no-any-return]

    audited(None, data, tmp_path, trainer=train)


@pytest.mark.parametrize(("library", "kind"), [("lightgbm", "LGBMClassifier"), ("xgboost", "XGBClassifier")])
def test_boosted_trees_are_their_own_trainer(library: str, kind: str, data: Any, tmp_path: Path) -> None:
    make = getattr(pytest.importorskip(library), kind)
    more = {"verbose": -1} if library == "lightgbm" else {}
    X, y = data
    fitted = make(n_estimators=20, max_depth=3, n_jobs=1, subsample=0.8, **more).fit(X[:150], y[:150])
    audited(fitted, data, tmp_path)
