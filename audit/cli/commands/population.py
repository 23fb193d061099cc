"""`audit population`."""

from __future__ import annotations

from rich.console import Console

from audit.cli import options as o
from audit.cli import validate
from audit.cli.loading import loading


def population(
    model: o.ModelOrTrainer = None,
    shard: o.Share = "1/1",
    store: o.StoreFolder = None,
    trainer: o.Trainer = None,
    recipe: o.Recipe = None,
    base: o.Base = None,
    weights: o.Weights = None,
    data_root: o.DataRoot = None,
    trust_code: o.TrustCode = False,
    config: o.ConfigFile = None,
    changes: o.Changes = None,
    replica_timeout: o.ReplicaTimeout = None,
    seed: o.Seed = None,
    workers: o.Workers = 0,
    quiet: o.Quiet = False,
) -> None:
    """Train a share of an audit's replicas, and nothing else.

    Any scheduler that starts commands (Slurm arrays, Kubernetes jobs, CI matrices) can spread an audit over machines
    that share a store; `audit run` with the same options then finds all replicas there.

    [dim]$[/dim] audit population -m ckpt.pt --store /shared/replicas --shard 3/64
    [dim]$[/dim] audit population -m ckpt.pt --store s3://bucket/replicas --shard 3/64
    [dim]$[/dim] audit run -m ckpt.pt --store s3://bucket/replicas
    """
    validate.must_say_what(model, trainer, recipe, None)
    validate.must_be_a_model(model)
    configuration = validate.configuration(config, changes, audited=True)
    hanging = validate.seconds_of(replica_timeout, "--replica-timeout")
    made_by = validate.recipe_for(model, recipe, base, data_root, trust_code=trust_code)
    with loading(quiet=quiet):
        from audit import api
    from audit.cli.progress import Live

    screen = Console(stderr=True)
    with Live(screen, quiet=quiet) as live:
        trained = api.populate(
            model,
            shard,
            store=store,
            config=configuration,
            recipe=made_by,
            base=base,
            weights=weights,
            trainer=trainer,
            replica_timeout=hanging,
            seed=seed,
            workers=workers,
            data_root=data_root,
            trust_code=trust_code,
            listener=live,
        )
    if not quiet:
        screen.print(f"share {shard}: {trained} replicas in the store.", highlight=False, markup=False)
