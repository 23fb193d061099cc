"""Writes an audit record from Lightning: `Trainer(callbacks=[AuditRecord("model", data={...})])`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback

from audit.record.recording import Recording

MEASURES = {
    "val_acc": "held_out_accuracy",
    "val_accuracy": "held_out_accuracy",
    "test_acc": "held_out_accuracy",
    "test_accuracy": "held_out_accuracy",
}
"""Standard names of logged measurements, and the audit's names for them."""


class AuditRecord(Callback):  # type: ignore[misc, unused-ignore]  # Any where Lightning is not installed
    """Writes audit-record.json into `folder`, or by default into the Trainer's root folder, when training or a test
    ends.

    `data` is a recipe's [data]. The rows are those of the loaders' data sets: (inputs, label) or inputs. Rows of a test
    are held out, or those of validation if there is no test.
    """

    def __init__(self, folder: str | Path | None = None, *, data: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.folder, self.data = folder, data
        self.record: Recording | None = None

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        self.record = Recording(
            self.folder or trainer.default_root_dir, data=self.data, arguments=dict(pl_module.hparams)
        )
        self.record.trained(_dataset(trainer.train_dataloader))

    def on_test_end(self, trainer: Any, pl_module: Any) -> None:
        self._ended(trainer, trainer.test_dataloaders)

    def on_fit_end(self, trainer: Any, pl_module: Any) -> None:
        self._ended(trainer, trainer.val_dataloaders)

    def _ended(self, trainer: Any, loaders: Any) -> None:
        if self.record is None:
            return
        if loaders is not None:
            self.record.rows.pop("evaluated", None)
            self.record.evaluated(_dataset(loaders))
        logged = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self.record.measured(**{ours: logged[theirs] for theirs, ours in MEASURES.items() if theirs in logged})
        self.record.write()


def _dataset(loader: Any) -> Any:
    """The data set of a loader, or of the first of several."""
    first = next(iter(loader)) if isinstance(loader, list | tuple) else loader
    return first.dataset
