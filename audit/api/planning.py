"""`audit.plan`."""

from __future__ import annotations

from pathlib import Path

from audit.api.given import GivenConfig, GivenRecipe, checkpoint_of, path_of, recipe_file_of, seconds_given
from audit.checkpoints.open_model import open_checkpoint
from audit.config import audit_config
from audit.config.run_settings import Settings, default_store
from audit.pipeline import probes_of
from audit.population.cost_model import Fitted, fit, price
from audit.population.populate import rows_of
from audit.runtime import check_torch, threads
from probes.plan import Plan


def plan(
    model: str | Path,
    *,
    config: GivenConfig | None = None,
    recipe: GivenRecipe | None = None,
    budget: str | float | None = None,
    seed: int | None = None,
    workers: int = 0,
    data_root: str | Path | None = None,
    trust_code: bool = False,
) -> Fitted:
    """What an audit of a checkpoint would train, by which engine, in what time and memory, and what it could detect.

    budget  seconds, or text such as "10m": the rounds that fit it, and what they give up; without one, all rounds

    The other parameters are those of `run`. A few steps of each kind of replica are trained and timed. Returns the
    plan, its price (rows, seconds, bytes, power), and by design how many rounds are left of how many. Raises
    AuditError.

    >>> plan("ckpt.pt", budget="10m").price.rows  # doctest: +SKIP
    48
    >>> plan("gone.pt")
    Traceback (most recent call last):
    ...
    probes.errors.InputError: gone.pt: no such checkpoint file. Check the path.
    """
    check_torch()
    chosen, seconds = audit_config.chosen(config), seconds_given(budget)
    settings = Settings(
        store=default_store(), recipe=recipe_file_of(recipe), data_root=path_of(data_root), trust_code=trust_code
    )
    experiment = open_checkpoint(checkpoint_of(model), settings).experiment
    root = experiment.seed if seed is None else seed
    wanted = Plan.union([probe.needs for probe in probes_of(chosen, experiment.dataset.modality)])
    with threads(1):
        if seconds is not None:
            return fit(experiment, wanted, seconds, root, workers)
        cost = price(experiment, rows_of(wanted, experiment.pool, root), workers)
    return Fitted(plan=wanted, price=cost, gave_up={})
