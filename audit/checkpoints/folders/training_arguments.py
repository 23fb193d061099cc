"""Arguments of transformers' Trainer as a recipe's [train]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit.checkpoints.folders.base import read_json

STATE, ARGUMENTS = "trainer_state.json", "training_args.bin"
OPTIMIZERS = {"adamw_torch": "adamw", "adamw_torch_fused": "adamw", "adamw_hf": "adamw", "sgd": "sgd"}
DEFAULTS = {"learning_rate": 5e-5, "num_train_epochs": 3, "per_device_train_batch_size": 8}
"""Of TrainingArguments."""
NEEDED = ("epochs", "lr", "batch_size")
"""Keys of [train] without which replicas are trained by a guess."""
SCHEDULES = {"linear": "linear", "cosine": "cosine", "constant": "constant", "constant_with_warmup": "constant"}


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """`train` holds keys of a recipe's [train]; the others as in `Described`."""

    train: Mapping[str, Any]
    seed: int | None = None
    read: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


def of_folder(folder: Path, *, trust_code: bool) -> Arguments:
    """From training_args.bin if code is trusted (it is a pickle), or else from trainer_state.json."""
    if trust_code and (folder / ARGUMENTS).is_file():
        import torch

        return of_mapping(torch.load(folder / ARGUMENTS, weights_only=False).to_dict(), ARGUMENTS)
    pickled = (folder / ARGUMENTS).is_file()
    if (folder / STATE).is_file():
        return of_state(read_json(folder / STATE), pickled=pickled)
    unknown = f"[train] ({ARGUMENTS} is a pickle: --trust-code reads it)" if pickled else "[train]"
    usual = of_mapping(DEFAULTS, "transformers' defaults")
    unread = NEEDED if pickled else ()
    return Arguments(train=usual.train, assumed=usual.read, unknown=(unknown,), unread=unread)


def of_mapping(given: Mapping[str, Any], where: str, samples: int | None = None) -> Arguments:
    """From TrainingArguments' own names and values. What a recipe cannot express is listed as unknown."""
    rate, epochs = given.get("learning_rate"), given.get("num_train_epochs")
    optimizer, schedule = str(given.get("optim", "adamw_torch")), str(given.get("lr_scheduler_type", "linear"))
    optimizer, schedule = optimizer.rpartition(".")[2].lower(), schedule.rpartition(".")[2].lower()
    batch = int(given.get("per_device_train_batch_size", 8)) * int(given.get("gradient_accumulation_steps", 1))
    batch *= max(1, int(given.get("n_gpu", 1) or 1))
    train: dict[str, Any] = {
        "optimizer": OPTIMIZERS.get(optimizer, "adamw"),
        "schedule": SCHEDULES.get(schedule, "linear"),
        "batch_size": batch,
        "weight_decay": float(given.get("weight_decay", 0.0)),
        "decays": "weights",
        "label_smoothing": float(given.get("label_smoothing_factor", 0.0)),
    }
    if rate is not None:
        train["lr"] = float(rate)
    if epochs is not None:
        train["epochs"] = max(1, round(float(epochs)))
    if clip := float(given.get("max_grad_norm", 1.0) or 0.0):
        train["clip_norm"] = clip
    warmup = float(given.get("warmup_steps", 0) or 0)
    if 0 < warmup < 1:
        train["warmup_epochs"] = warmup * float(epochs or 1)
    elif warmup and samples:
        train["warmup_epochs"] = warmup * batch / samples
    elif ratio := float(given.get("warmup_ratio", 0.0) or 0.0):
        train["warmup_epochs"] = ratio * float(epochs or 1)
    if train["optimizer"] == "sgd":
        train["momentum"] = 0.0
    unknown = [
        name
        for name, there in (
            (f"optim = {optimizer}", optimizer not in OPTIMIZERS),
            (f"lr_scheduler_type = {schedule}", schedule not in SCHEDULES),
            (f"warmup_steps = {warmup:g}", warmup >= 1 and not samples),
            (f"num_train_epochs = {epochs}", epochs is not None and float(epochs) != train.get("epochs")),
            (f"max_steps = {given.get('max_steps')}", int(given.get("max_steps", -1) or -1) > 0),
        )
        if there
    ]
    replaced = {"optimizer": optimizer not in OPTIMIZERS, "schedule": schedule not in SCHEDULES}
    read = [f"train.{name} = {value}" for name, value in train.items() if name != "decays" and not replaced.get(name)]
    seed = given.get("seed")
    return Arguments(
        train=train,
        seed=int(seed) if seed is not None else None,
        read=(*read[:-1], f"{read[-1]} ({where})") if read else (),
        assumed=tuple(f"train.{name} = {train[name]}" for name, there in replaced.items() if there),
        unknown=tuple(f"{one} ({where})" for one in unknown),
    )


def of_sequences(train: Mapping[str, Any]) -> dict[str, Any]:
    """The same as keys of a language model's [train]: warm-up is a share of all steps, without a norm nothing is
    clipped, and the optimizer is AdamW.

    >>> of_sequences({"lr": 0.1, "epochs": 4, "warmup_epochs": 1.0})
    {'lr': 0.1, 'epochs': 4, 'clip_norm': None, 'warmup': 0.25}
    """
    kept = ("epochs", "lr", "batch_size", "weight_decay", "schedule")
    known = {name: value for name, value in train.items() if name in kept}
    warmup = float(train.get("warmup_epochs", 0.0)) / int(train.get("epochs", 1))
    return {**known, "clip_norm": train.get("clip_norm"), "warmup": warmup}


def of_state(state: Mapping[str, Any], *, pickled: bool) -> Arguments:
    """From what trainer_state.json happens to contain: epochs, batch size, and the logged learning rates."""
    logged = [one for one in state.get("log_history", ()) if isinstance(one, Mapping) and "learning_rate" in one]
    schedule = "constant" if _is_constant([float(one["learning_rate"]) for one in logged]) else "linear"
    train: dict[str, Any] = {"optimizer": "adamw", "schedule": schedule, "clip_norm": 1.0, "decays": "weights"}
    read = []
    if (epochs := state.get("num_train_epochs")) and float(epochs) >= 1:
        train["epochs"] = round(float(epochs))
        read.append(f"train.epochs = {train['epochs']} ({STATE})")
    if batch := state.get("train_batch_size"):
        train["batch_size"] = int(batch)
        read.append(f"train.batch_size = {batch} ({STATE})")
    unknown = []
    if (rate := _first_rate(logged, int(state.get("max_steps") or 0))) is not None:
        train["lr"] = rate
        read.append(f"train.lr = {rate:.3g} ({STATE})")
    else:
        unknown.append("train.lr (no rate was logged)")
    hint = f"; {ARGUMENTS} is a pickle, which --trust-code reads" if pickled else ""
    assumed = ("train.optimizer = adamw", f"train.schedule = {schedule}", f"train.clip_norm = 1{hint}")
    unread = tuple(key for key in NEEDED if key not in train) if pickled else ()
    return Arguments(train=train, read=tuple(read), assumed=assumed, unknown=tuple(unknown), unread=unread)


def _is_constant(rates: Sequence[float]) -> bool:
    return len(rates) > 1 and max(rates) - min(rates) < 1e-3 * max(rates)


def _first_rate(logged: list[Any], steps: int) -> float | None:
    """The initial rate of a linear schedule without warm-up; the rate of the first entry if it does not fall
    linearly."""
    points = [(float(one["step"]), float(one["learning_rate"])) for one in logged if "step" in one]
    if not points:
        return None
    (step, rate), *more = points
    if steps and more and more[-1][1] < rate and step < steps:
        # The rate that is logged after step s was used at step s − 1.
        return float(f"{rate * steps / (steps - step + 1):.6g}")
    return max(value for _, value in points)
