"""`audit reproduce`."""

from __future__ import annotations

import typer
from rich.console import Console

from audit.cli import options as o
from audit.cli import validate


def reproduce(
    pack: o.Pack,
    model: o.ModelNow = None,
    recipe: o.Recipe = None,
    reference: o.Reference = None,
    tried: o.Tried = None,
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
    from audit.cli.progress import Live
    from audit.results import reproduce as repeating

    with Live(Console(stderr=True), quiet=quiet) as live:
        found = repeating.reproduce(
            pack,
            model=model,
            recipe=recipe,
            reference=reference,
            tried=tried,
            baseline=baseline,
            variants=variants or (),
            data_root=data_root,
            trust_code=trust_code,
            workers=workers,
            store=store,
            listener=live,
        )
    screen = Console(quiet=quiet, soft_wrap=True)
    lines = (f"{pack}: results.json is the same, {found.size} bytes.",) if found.same else found.explained
    for line in lines:
        screen.print(line, highlight=False, markup=False)
    raise typer.Exit(found.exit_code)
