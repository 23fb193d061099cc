"""Writes an audit record from transformers' Trainer: `callbacks=[AuditRecord("model", data={...})]`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from audit.record.recording import Recording

MEASURES = {"eval_accuracy": "held_out_accuracy", "eval_loss": "held_out_log_loss"}
"""The Trainer's names of measurements, and the audit's names for them."""


class AuditRecord(TrainerCallback):
    """Writes audit-record.json into `folder`, where the model is saved, or by default into the Trainer's output folder,
    after each evaluation and at the end of training. For the record to include a digest of the weights, save the model
    there first, or write again with `record.write()`.

    `data` is a recipe's [data]: {"kind": "text", "path": "messages.csv", "text": "text", "label": "label"}.
    """

    def __init__(self, folder: str | Path | None = None, *, data: Mapping[str, Any] | None = None) -> None:
        self.folder, self.data = folder, data
        self.record: Recording | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        configuration = getattr(given.get("model"), "config", None)
        base = getattr(configuration, "_name_or_path", "") or None
        self.record = Recording(
            self.folder or args.output_dir,
            data=self.data,
            arguments={**args.to_dict(), "samples": len(given["train_dataloader"].dataset)},
            seed=int(args.seed),
            base=base,
            revision=getattr(configuration, "_commit_hash", None) or "",
        )
        self.record.trained(given["train_dataloader"].dataset)
        self._of_evaluation(given.get("eval_dataloader"))

    def on_evaluate(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        if self.record is None:
            return
        self._of_evaluation(given.get("eval_dataloader"))
        measured = given.get("metrics") or {}
        self.record.measured(**{ours: measured[theirs] for theirs, ours in MEASURES.items() if theirs in measured})
        self._write(state)

    def on_train_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        self._write(state)

    def _of_evaluation(self, loader: Any) -> None:
        """Recorded once: later evaluations are on the same rows, or on rows that do not select the model."""
        if self.record is not None and loader is not None and "evaluated" not in self.record.rows:
            self.record.evaluated(loader.dataset)

    def _write(self, state: Any) -> None:
        if self.record is not None and getattr(state, "is_world_process_zero", True):
            self.record.write()
