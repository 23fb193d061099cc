"""`audit verify`."""

from __future__ import annotations

import typer

from audit.cli import options as o
from audit.cli import validate


def verify(
    pack: o.Pack,
    key: o.PublicKey = None,
    quiet: o.Quiet = False,
) -> None:
    """Say what was changed in an evidence pack.

    [dim]$[/dim] audit verify evidence --key team.pub
    """
    validate.must_exist(pack, "folder")
    from audit.results.signing import run_verify

    raise typer.Exit(run_verify(pack, key, quiet=quiet))
