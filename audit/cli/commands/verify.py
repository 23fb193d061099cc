"""`audit verify`."""

from __future__ import annotations

import typer

from audit.cli import options as o
from audit.cli import validate
from probes.errors import ConfigError


def verify(
    pack: o.Pack,
    key: o.PublicKey = None,
    identity: o.Identity = None,
    issuer: o.Issuer = None,
    quiet: o.Quiet = False,
) -> None:
    """Say what was changed in an evidence pack.

    A sigstore bundle beside the checksums is checked too, without a network.

    [dim]$[/dim] audit verify evidence --key team.pub
    [dim]$[/dim] audit verify evidence --identity you@example.org --issuer https://accounts.google.com
    """
    validate.must_exist(pack, "folder")
    if issuer is not None and identity is None:
        raise ConfigError("says who vouches for --identity.", where="--issuer", do="Give both.")
    from audit.results.signing import run_verify

    raise typer.Exit(run_verify(pack, key, identity=identity, issuer=issuer, quiet=quiet))
