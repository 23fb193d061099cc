"""`audit.populate`."""

from __future__ import annotations

from pathlib import Path

from audit.api.given import GivenConfig, GivenRecipe, path_of, recipe_file_of, seconds_given
from audit.api.opening import open_model
from audit.config import audit_config
from audit.config.run_settings import Settings, place_of
from audit.listener import Listener
from audit.pipeline import kept_in, probes_of
from audit.population.populate import rows_of, train_share
from audit.population.shard import Shard
from audit.population.trainer_checks import trainable
from audit.runtime import check_torch, threads
from audit.storage.failures import traces_kept
from probes.errors import InputError
from probes.plan import Plan


def populate(
    model: str | Path | None = None,
    shard: str = "1/1",
    *,
    store: str | Path | None = None,
    config: GivenConfig | None = None,
    recipe: GivenRecipe | None = None,
    trainer: str | None = None,
    replica_timeout: str | float | None = None,
    seed: int | None = None,
    workers: int = 0,
    data_root: str | Path | None = None,
    trust_code: bool = False,
    listener: Listener | None = None,
) -> int:
    """Train a share of the replicas of a model's audit into the store, and nothing else; returns how many it has.

    shard       N/OF, such as "3/64": one command for each N from 1 to OF trains all, on whatever machines; then `run`
                with the same store finds them. A share that was killed goes on when it is started again

    The other parameters are those of `run`, and have to be the same there. Raises AuditError.

    >>> populate("ckpt.pt", "2/8", store="s3://team/replicas")  # doctest: +SKIP
    40
    >>> populate("gone.pt")
    Traceback (most recent call last):
    ...
    probes.errors.InputError: gone.pt: no such checkpoint file. Check the path.
    """
    check_torch()
    share, chosen = Shard.parse(shard), audit_config.chosen(config)
    folder, remote = place_of(store)
    settings = Settings(
        store=folder,
        remote=remote,
        recipe=recipe_file_of(recipe),
        trainer=trainer,
        replica_timeout=seconds_given(replica_timeout, "replica_timeout"),
        data_root=path_of(data_root),
        trust_code=trust_code,
    )
    with traces_kept(settings.store), threads(1):
        audited = open_model(model, None, None, None, None, None, None, None, settings)
        if not audited.retrains:
            raise InputError("nothing says how this model was trained.", where=str(model), do="Give --recipe.")
        experiment, heard = audited.experiment, listener or Listener()
        heard.stage("replicas")
        wanted = Plan.union([probe.needs for probe in probes_of(chosen, experiment.dataset.modality)])
        rows, _ = trainable(experiment, rows_of(wanted, experiment.pool, experiment.seed if seed is None else seed))
        return train_share(
            experiment, rows, share, store=kept_in(settings), workers=workers, on_progress=heard.replicas
        )
