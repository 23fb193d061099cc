"""Replicas by transformers' Trainer, or TRL's SFTTrainer, as the user builds it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Int, Shaped
from torch import nn

from audit.trainers.base import Fit
from probes.errors import DataError, TrainerError

LABELS = ("labels", "label", "label_ids")
"""The names under which the library's collators look for a row's label."""
SHOWS = ("ProgressCallback", "PrinterCallback", "NotebookProgressCallback", "RichProgressCallback")
"""Callbacks that only draw on the terminal."""


def retrained(
    make: Callable[[Any], Any], rows: Any, *, scratch: Callable[[Any], Any] | None = None
) -> Callable[[Fit], object]:
    """A trainer for `audit.run(..., trainer=)` that builds the user's own Trainer for each replica and trains it.

    make     from the rows to train on to a transformers.Trainer, or a subclass, built as for the audited model: with
             its arguments, optimizers, collator and callbacks. The model must be built within it, from the base
    rows     all samples as the Trainer reads them, in the order of the audited data: a datasets.Dataset, or a sequence
             of dicts
    scratch  the same with a model of random weights; without it nothing is trained from scratch

    Each replica gets a seed and an output folder of its own. It reports to no tracker, pushes to no hub and writes no
    audit record. A network is returned, which the probes look into, where the audited data are what the network takes
    (`inputs_of`); else the answers of `Trainer.predict`.
    """

    def train(fit: Fit) -> object:
        return _trained(make, rows, fit)

    def train_from_either(fit: Fit) -> object:
        assert scratch is not None
        return _trained(make if fit.start == "source" else scratch, rows, fit)

    return train if scratch is None else train_from_either


def inputs_of(rows: Any, padding: int = 0) -> Shaped[np.ndarray, "samples ..."]:
    """What the network takes of each row: `pixel_values` [samples, channels, height, width], or `input_ids`
    [samples, length], filled up with the tokenizer's `padding`.

    Raises DataError if rows have neither, or tell two texts apart, which ids alone do not.

    >>> inputs_of([{"input_ids": [5, 6]}, {"input_ids": [7]}]).tolist()
    [[5, 6], [7, 0]]
    """
    listed = [rows[index] for index in range(len(rows))]
    if listed and all("pixel_values" in row for row in listed):
        return np.stack([np.asarray(row["pixel_values"], dtype=np.float32) for row in listed])
    if not listed or not all("input_ids" in row for row in listed):
        raise DataError("rows have neither input_ids nor pixel_values.", where="inputs_of", do="Hand over the texts.")
    if any(np.any(row.get("token_type_ids", 0)) for row in listed):
        raise DataError("rows tell two texts apart.", where="inputs_of", do="Hand over the texts.")
    ids = [_unpadded(row) for row in listed]
    filled = np.full((len(ids), max(1, *map(len, ids))), padding, dtype=np.int64)
    for position, one in enumerate(ids):
        filled[position, : len(one)] = one
    return filled


def _unpadded(row: Mapping[str, Any]) -> Int[np.ndarray, " length"]:
    ids = np.asarray(row["input_ids"], dtype=np.int64)
    return ids[np.asarray(row["attention_mask"]) > 0] if "attention_mask" in row else ids


def _trained(make: Callable[[Any], Any], rows: Any, fit: Fit) -> object:
    from transformers import set_seed

    if len(rows) != len(fit.labels):
        raise TrainerError(
            f"has {len(rows)} rows for {len(fit.labels)} samples.",
            where="retrained",
            do="Give the rows of all samples, in the order of the data.",
        )
    trainer = make(_labelled(rows, fit.kept, fit.labels))
    _for_a_replica(trainer, fit)
    set_seed(fit.seed)
    trainer.train()
    if fit.features is not None and not isinstance(fit.features, np.ndarray):
        return _predictor(trainer, rows)
    network: nn.Module = trainer.model.cpu().eval()
    return network


def _for_a_replica(trainer: Any, fit: Fit) -> None:
    """A seed and a folder of its own; nothing that leaves this machine, draws on a terminal, or writes beside the
    audited model. Nothing that decides the weights but the seed is changed."""
    from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

    arguments = trainer.args
    arguments.output_dir, arguments.seed = str(fit.folder), fit.seed
    if arguments.data_seed is not None:
        arguments.data_seed = trainer.accelerator.dataloader_config.data_seed = fit.seed
    arguments.push_to_hub = False
    if not arguments.load_best_model_at_end:
        arguments.save_strategy = type(arguments.save_strategy)("no")
    trackers = tuple(INTEGRATION_TO_CALLBACK.values())
    for callback in list(trainer.callback_handler.callbacks):
        kind = type(callback)
        if kind in trackers or kind.__name__ in SHOWS or kind.__module__.startswith("audit.record"):
            trainer.remove_callback(callback)


def _labelled(rows: Any, kept: Int[np.ndarray, " kept"], labels: Int[np.ndarray, " samples"]) -> Any:
    """The kept rows; those of a replica with shuffled labels carry these."""
    wanted = [int(label) for label in labels[kept]]
    if hasattr(rows, "column_names"):
        chosen = rows.select(kept)
        name = next((name for name in LABELS if name in rows.column_names), None)
        if name is None or list(chosen[name]) == wanted:
            return chosen
        return chosen.remove_columns(name).add_column(name, wanted)
    chosen = [rows[int(index)] for index in kept]
    return [_with_label(row, label) for row, label in zip(chosen, wanted, strict=True)]


def _with_label(row: Any, label: int) -> Any:
    name = next((name for name in LABELS if name in row), None)
    if name is None or int(row[name]) == label:
        return row
    return {**row, name: type(row[name])(label)}


def _predictor(trainer: Any, rows: Any) -> Callable[[Int[np.ndarray, " asked"]], object]:
    """Answers as the user's Trainer evaluates, before any of the user's metrics."""
    trainer.compute_metrics = trainer.preprocess_logits_for_metrics = None

    def answer(asked: Int[np.ndarray, " asked"]) -> object:
        chosen = rows.select(asked) if hasattr(rows, "column_names") else [rows[int(index)] for index in asked]
        told = trainer.predict(chosen).predictions
        return next(one for one in told if one.ndim == 2) if isinstance(told, tuple) else told

    return answer
