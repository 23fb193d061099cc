"""Writes an audit record from Lightning: `Trainer(callbacks=[AuditRecord("model", data={...})])`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule

from audit.record.network_code import keep_code
from audit.record.recording import Recording

MEASURES = {
    "val_acc": "held_out_accuracy",
    "val_accuracy": "held_out_accuracy",
    "test_acc": "held_out_accuracy",
    "test_accuracy": "held_out_accuracy",
}
"""Standard names of logged measurements, and the audit's names for them."""
OPTIMIZERS = ("sgd", "adam", "adamw")


class AuditRecord(Callback):  # type: ignore[misc, unused-ignore]  # Any where Lightning is not installed
    """Writes audit-record.json into `folder`, or by default into the logger's folder of this run, when training or a
    test ends.

    `data` is a recipe's [data]. The rows are those of the loaders' data sets: (inputs, label) or inputs. Rows of a test
    are held out, or those of validation if there is no test. The file of the module's class is copied beside the
    record, with the project files that it imports, and its hyperparameters are recorded (`save_hyperparameters`), so
    that the network can be built again; so are the optimizer, the schedule and the loader's batch size.
    """

    def __init__(self, folder: str | Path | None = None, *, data: Mapping[str, object] | None = None) -> None:
        super().__init__()
        self.folder, self.data = folder, data
        self.record: Recording | None = None

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        folder = Path(self.folder or trainer.log_dir or trainer.default_root_dir)
        folder.mkdir(parents=True, exist_ok=True)
        stated = dict(pl_module.hparams)
        code = keep_code(type(pl_module), stated, network_in(pl_module), folder)
        train, left_out = training_of(trainer)
        left_out = [*left_out, *([f"source.model ({code.missing})"] if code.missing else [])]
        seed = os.environ.get("PL_GLOBAL_SEED", "")
        self.record = Recording(
            folder,
            data=self.data,
            recipe={"train": train, **({"source": code.source} if code.source else {})},
            arguments={**stated, "left_out": left_out},
            seed=int(seed) if seed.isdigit() else None,
            code=code.digests,
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


def network_in(module: Any) -> str:
    """The attribute that is the network, if the module has no forward of its own and one part with parameters."""
    if type(module).forward is not LightningModule.forward:
        return ""
    parts = [name for name, part in module.named_children() if next(part.parameters(), None) is not None]
    return str(parts[0]) if len(parts) == 1 else ""


def training_of(trainer: Any) -> tuple[dict[str, Any], list[str]]:
    """A recipe's [train] from the trainer's own objects, and what it has no key for."""
    loader = trainer.train_dataloader
    train: dict[str, Any] = {"epochs": trainer.max_epochs} if (trainer.max_epochs or 0) > 0 else {}
    if batch := getattr(loader, "batch_size", None):
        train["batch_size"] = int(batch) * int(trainer.accumulate_grad_batches)
    if clip := trainer.gradient_clip_val:
        train["clip_norm"] = float(clip)
    left_out = []
    if len(trainer.optimizers) == 1:
        left_out += _optimizer(trainer.optimizers[0], train)
    else:
        left_out.append(f"{len(trainer.optimizers)} optimizers")
    for scheduler in trainer.lr_scheduler_configs:
        left_out += _schedule(scheduler, train)
    sampler = type(getattr(loader, "sampler", None)).__name__
    if sampler not in ("RandomSampler", "DistributedSampler"):
        left_out.append(f"sampler = {sampler}")
    return train, left_out


def _optimizer(optimizer: Any, train: dict[str, Any]) -> list[str]:
    kind, stated = type(optimizer).__name__.lower(), optimizer.defaults
    if kind not in OPTIMIZERS:
        return [f"optimizer = {type(optimizer).__name__}"]
    train |= {"optimizer": kind, "lr": float(stated["lr"]), "weight_decay": float(stated.get("weight_decay", 0.0))}
    if kind == "sgd":
        train["momentum"] = float(stated.get("momentum", 0.0))
    rates = {float(group.get("initial_lr", group["lr"])) for group in optimizer.param_groups}
    decays = {float(group.get("weight_decay", 0.0)) for group in optimizer.param_groups}
    if len(rates) == 1:
        train["lr"] = rates.pop()
    return [
        name
        for name, there in (
            ("several learning rates", len(rates) > 1),
            ("several weight decays", len(decays) > 1),
            (f"betas = {stated.get('betas')}", tuple(stated.get("betas", (0.9, 0.999))) != (0.9, 0.999)),
            ("nesterov", bool(stated.get("nesterov"))),
        )
        if there
    ]


def _schedule(scheduled: Any, train: dict[str, Any]) -> list[str]:
    """Into `train` what a recipe can express."""
    scheduler = scheduled.scheduler
    kind, epochs = type(scheduler).__name__, int(train.get("epochs", 0))
    if scheduled.interval == "epoch":
        if kind == "CosineAnnealingLR" and scheduler.T_max == epochs and not scheduler.eta_min:
            train["schedule"] = "cosine"
            return []
        if kind in ("StepLR", "MultiStepLR"):
            steps = (
                scheduler.milestones
                if kind == "MultiStepLR"
                else range(scheduler.step_size, epochs, scheduler.step_size)
            )
            train |= {"schedule": "step", "gamma": float(scheduler.gamma), "milestones": sorted(map(int, steps))}
            return []
    return [f"schedule = {kind}"]


def _dataset(loader: Any) -> Any:
    """The data set of a loader, or of the first of several."""
    first = next(iter(loader)) if isinstance(loader, list | tuple) else loader
    return first.dataset
