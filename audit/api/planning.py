"""`audit.plan`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from audit.api.arguments import (
    GivenConfig,
    GivenRecipe,
    base_given,
    checkpoint_of,
    path_of,
    recipe_file_of,
    seconds_given,
)
from audit.checkpoints.language_folder import must_not_be_a_language_model
from audit.checkpoints.open_model import open_checkpoint
from audit.config import audit_config
from audit.config.run_settings import Settings, default_store
from audit.pipelines.selection import Selection
from audit.population.cost_model import Fitted, fit, price
from audit.population.populate import rows_of
from audit.runtime.devices import check_torch
from audit.runtime.threads import threads


def plan(
    model: str | Path,
    *,
    config: GivenConfig | None = None,
    changes: Sequence[str] = (),
    recipe: GivenRecipe | None = None,
    base: str | Path | None = None,
    weights: str | None = None,
    budget: str | float | None = None,
    seed: int | None = None,
    workers: int = 0,
    data_root: str | Path | None = None,
    trust_code: bool = False,
) -> Fitted:
    """What an audit of a checkpoint would train, by which engine, in what time and memory, and what it could detect.

    model       the path of a checkpoint or of its folder, or a folder written by transformers, PEFT, Lightning or timm
    config      an audit.toml or its content; default: the audit.toml or pyproject.toml of the working folder
    changes     single values that replace those of `config`, as KEY=VALUE in TOML: "probes.membership.repeats=16"
    recipe      how it was trained, if the checkpoint does not say: the path of a recipe, or its content
    base        for a model in a folder: what its training started from, a folder or a file
    weights     for a file with several sets of weights (raw and EMA): the key of the set to audit
    budget      time for training replicas: seconds, or text such as "10m"; the plan then has only the rounds that fit,
                and says what is lost; default: all rounds
    seed        root seed of the audit, at least 0; default: the checkpoint's
    workers     processes, 0 (the default) for one per core; never changes a number
    data_root   where the data is now, if it has moved: a folder, or the file itself
    trust_code  run the Python code that the checkpoint refers to; off by default

    A few steps of each kind of replica are trained and timed. Returns the plan, its price (rows, seconds, bytes,
    power), and for each design how many of its rounds remain. Raises AuditError.

    >>> plan("ckpt.pt", budget="10m").price.rows  # doctest: +SKIP
    48
    >>> plan("gone.pt")
    Traceback (most recent call last):
    ...
    probes.errors.InputError: gone.pt: no such checkpoint file. Check the path.
    """
    must_not_be_a_language_model(
        Path(model), "`audit run --budget 10m` times a few of its steps first, and says what it would take."
    )
    check_torch()
    chosen = audit_config.check_config(config, changes)
    settings = Settings(
        store=default_store(),
        recipe=recipe_file_of(recipe, model=model, base=base, trust_code=trust_code),
        base=base_given(base),
        weights=weights,
        data_root=path_of(data_root),
        trust_code=trust_code,
        budget=seconds_given(budget),
        workers=workers,
    )
    experiment = open_checkpoint(checkpoint_of(model), settings).experiment
    root = experiment.seed if seed is None else seed
    wanted = Selection.of(chosen, experiment.dataset.modality).plan
    with threads(1):
        if settings.budget is not None:
            return fit(experiment, wanted, settings.budget, root, workers)
        cost = price(experiment, rows_of(wanted, experiment.pool, root), workers)
    return Fitted(plan=wanted, price=cost, gave_up={})
