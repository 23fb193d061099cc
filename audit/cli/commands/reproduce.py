"""`audit reproduce`."""

from __future__ import annotations

import typer

from audit.cli import options as o
from audit.cli import validate


def reproduce(
    pack: o.Pack,
    model: o.ModelNow = None,
    recipe: o.Recipe = None,
    reference: o.Reference = None,
    baseline: o.Baseline = None,
    variants: o.VariantsNow = None,
    data_root: o.DataRoot = None,
    trust_code: o.TrustCode = False,
    workers: o.Workers = 0,
    store: o.StoreFolder = None,
    quiet: o.Quiet = False,
) -> None:
    """Repeat an audit from its evidence, and compare results.json byte by byte.

    Trains every replica again, in an empty store unless --store names one.

    [dim]$[/dim] audit reproduce evidence --model ckpt.pt
    """
    validate.must_exist(pack, "folder")
    from rich.console import Console

    from audit.cli.progress import Live
    from audit.results.reproduce import Places, run_reproduce

    places = Places(
        model=model,
        recipe=recipe,
        reference=reference,
        baseline=baseline,
        variants=tuple(variants or ()),
        data_root=data_root,
        store=store,
    )
    with Live(Console(stderr=True), quiet=quiet) as live:
        code = run_reproduce(pack, places, workers=workers, trust_code=trust_code, listener=live, quiet=quiet)
    raise typer.Exit(code)
