"""Is this fine-tuned model safe to ship? The imperative shell and the Python API.

    import audit
    report = audit.run("ckpt.pt")
    report.verdict.status

Nothing heavy is imported before a function is called.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

    from audit.api import Samples
    from audit.config.audit_config import Config
    from audit.config.recipe import Recipe
    from audit.listener import Listener
    from reports.report import Comparison, Report

__all__ = ["Predictions", "compare", "load", "run"]


def __getattr__(name: str) -> Any:
    """What would import NumPy, when it is asked for."""
    if name == "Predictions":
        from audit.evidence.predictions import Predictions

        return Predictions
    raise AttributeError(f"module 'audit' has no attribute {name!r}")


def run(
    model: Any = None,
    data: Any = None,
    *,
    members: Samples | None = None,
    held_out: Samples | None = None,
    trainer: Any = None,
    replica_timeout: float | None = None,
    recipe: str | Path | Mapping[str, Any] | Recipe | None = None,
    source: nn.Module | Mapping[str, Tensor] | None = None,
    classes: tuple[str, ...] | list[str] | None = None,
    config: str | Path | Mapping[str, Any] | Config | None = None,
    baseline: str | Path | Report | None = None,
    out: str | Path | None = None,
    store: str | Path | None = None,
    seed: int | None = None,
    workers: int | None = None,
    trust_code: bool = False,
    listener: Listener | None = None,
) -> Report:
    """Audit a model and return the report; with `out`, write it into that folder as the command line does.

    `model` is the path of a checkpoint, which knows its data, split and recipe (weights from elsewhere need the path of
    their `recipe`), or a network in memory. For a network, `data` is (features, labels): features as the network takes
    them, float [samples, channels, height, width] or [samples, features] or whole-number tokens [samples, length];
    labels int [samples]. `members` says which samples trained it (indices or a mask); all others are `held_out`
    unless said.

    A network's `recipe`, a dict as in a recipe's TOML (`{"train": {"epochs": 5, "lr": 0.01}}`), says how it was
    trained: replicas copy its architecture and start from `source` (a network or a state dict; without it, from random
    weights). Without a recipe nothing can be retrained: the report says so, and probes do what they can.

    `trainer` is your own training instead of a recipe: a function of one `audit.trainers.base.Fit` (kept samples,
    labels, seed, start, device, a scratch folder) that returns a network, a fitted estimator, or a function from
    indices to logits or probabilities; or its place, "train.py:train"; or an estimator to clone and fit. The model may
    then be any of these, and the data also (DataFrame, labels) or (texts, labels). An estimator as the model needs no
    trainer; without a model the one that the trainer makes of the members is audited. A replica that trains for more
    than `replica_timeout` seconds (7200 unless said) is an error.

    `model` may also be `audit.Predictions`: what a model answered, without the model.

    `config` is an audit.toml or its content, `baseline` an earlier report to compare with. Raises AuditError, whose one
    line says what is wrong, where, and what to do.
    """
    from audit.extras import need

    need("train")
    from audit.api import run as run_

    return run_(
        model,
        data,
        members=members,
        held_out=held_out,
        trainer=trainer,
        replica_timeout=replica_timeout,
        recipe=recipe,
        source=source,
        classes=classes,
        config=config,
        baseline=baseline,
        out=out,
        store=store,
        seed=seed,
        workers=workers,
        trust_code=trust_code,
        listener=listener,
    )


def load(path: str | Path) -> Report:
    """The report of a results.json, or of the folder it lies in. Raises InputError."""
    from audit.results.read import read_audit

    return read_audit(Path(path))


def compare(old: Report, new: Report) -> Comparison:
    """What changed since `old`, beyond noise; paired where both speak of the same samples. Raises InputError."""
    from reports.comparison.compare import compare as compare_

    return compare_(old, new)
