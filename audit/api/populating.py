"""`audit.populate`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from audit.api.arguments import GivenConfig, GivenRecipe, base_given, path_of, recipe_file_of, seconds_given
from audit.api.opening import open_model
from audit.checkpoints.language_folder import must_not_be_a_language_model
from audit.config import audit_config
from audit.config.run_settings import Settings, place_of
from audit.pipelines.listener import Listener
from audit.pipelines.selection import Selection
from audit.population.populate import rows_of, train_share
from audit.population.shard import Shard
from audit.population.trainer_checks import trainable
from audit.runtime.devices import check_torch
from audit.runtime.garbage import older_left_alone
from audit.runtime.threads import threads
from audit.storage.failures import traces_kept
from probes.errors import InputError


def populate(
    model: str | Path | None = None,
    shard: str = "1/1",
    *,
    store: str | Path | None = None,
    config: GivenConfig | None = None,
    changes: Sequence[str] = (),
    recipe: GivenRecipe | None = None,
    base: str | Path | None = None,
    weights: str | None = None,
    trainer: str | None = None,
    replica_timeout: str | float | None = None,
    seed: int | None = None,
    workers: int = 0,
    data_root: str | Path | None = None,
    trust_code: bool = False,
    listener: Listener | None = None,
) -> int:
    """Train a share of the replicas of a model's audit into the store, and nothing else; returns the size of the share.

    model            the path of a checkpoint or of its folder, or a folder written by transformers, PEFT, Lightning or
                     timm
    shard            N/OF, such as "3/64": one call for each N from 1 to OF trains them all, on any machines; then `run`
                     with the same store finds them. An interrupted share resumes when it is started again
    store            where replicas are kept: a folder, or a URL that machines share (s3://…); default: the user's cache
    config           an audit.toml or its content; default: the audit.toml or pyproject.toml of the working folder
    changes          single values that replace those of `config`, as KEY=VALUE in TOML: "probes.membership.repeats=16"
    recipe           how it was trained, if the checkpoint does not say: the path of a recipe, or its content
    base             for a model in a folder: what its training started from, a folder or a file
    weights          for a file with several sets of weights (raw and EMA): the key of the set to audit
    trainer          your training code instead of a recipe: "train.py:train"
    replica_timeout  time limit for a replica of the trainer: seconds, or text such as "2h" (the default)
    seed             root seed of the audit, at least 0; default: the checkpoint's
    workers          processes, 0 (the default) for one per core; never changes a number
    data_root        where the data is now, if it has moved: a folder, or the file itself
    trust_code       run the Python code that the checkpoint refers to; off by default
    listener         is notified of progress

    The arguments must be the same as those of `run`. Returns how many replicas of the share are in the store. Raises
    AuditError.

    >>> populate("ckpt.pt", "2/8", store="s3://team/replicas")  # doctest: +SKIP
    40
    >>> populate("gone.pt")
    Traceback (most recent call last):
    ...
    probes.errors.InputError: gone.pt: no such checkpoint file. Check the path.
    """
    if model is not None:
        must_not_be_a_language_model(Path(model), "It trains its adapters together in one process: give it a --budget.")
    check_torch()
    share, chosen = Shard.parse(shard), audit_config.check_config(config, changes)
    kept_in, remote = place_of(store)
    settings = Settings(
        store=kept_in,
        remote=remote,
        recipe=recipe_file_of(recipe, model=model, base=base, trust_code=trust_code),
        base=base_given(base),
        weights=weights,
        trainer=trainer,
        replica_timeout=seconds_given(replica_timeout, "replica_timeout"),
        data_root=path_of(data_root),
        trust_code=trust_code,
    )
    with traces_kept(settings.store), threads(1), older_left_alone():
        audited = open_model(settings, model)
        if not audited.retrains:
            raise InputError(
                "there is no recipe: it is not known how this model was trained.", where=str(model), do="Give --recipe."
            )
        experiment, heard = audited.experiment, listener or Listener()
        heard.stage("replicas")
        wanted = Selection.of(chosen, experiment.dataset.modality).plan
        rows, _ = trainable(experiment, rows_of(wanted, experiment.pool, experiment.seed if seed is None else seed))
        return train_share(
            experiment, rows, share, store=settings.opened_store(), workers=workers, on_progress=heard.replicas
        )
