"""`audit verify`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from rich.console import Console

from audit.cli import options as o
from audit.cli import validate
from probes.errors import ConfigError

if TYPE_CHECKING:
    from audit.results.signing import Verification


def verify(
    pack: o.Pack,
    key: o.PublicKey = None,
    identity: o.Identity = None,
    issuer: o.Issuer = None,
    trust_config: o.TrustConfig = None,
    quiet: o.Quiet = False,
) -> None:
    """Report what was changed in an evidence pack.

    A sigstore bundle beside the checksums is checked too, without a network.

    [dim]$[/dim] audit verify evidence --key team.pub
    [dim]$[/dim] audit verify evidence --identity you@example.org --issuer https://accounts.google.com
    """
    validate.must_exist(pack, "folder")
    if issuer is not None and identity is None:
        raise ConfigError("says who vouches for --identity.", where="--issuer", do="Give both.")
    from audit.results import signing

    found = signing.verify(pack, key, identity=identity, issuer=issuer, trust_config=trust_config)
    screen = Console(quiet=quiet, highlight=False, markup=False, soft_wrap=True)
    for change in found.changes:
        screen.print(f"✗ {signing.said(change)}")
    if found.unchecked:
        screen.print(found.unchecked)
    if found.intact:
        screen.print(f"{pack}: {_by(found, key is not None, identity is not None)}")
    raise typer.Exit(found.exit_code)


def _by(found: Verification, keyed: bool, named: bool) -> str:
    known = [f"by the key given, {found.signer}" if keyed else f"by {found.signer}"] if found.signer else []
    known += [f"through sigstore by {found.sigstore}"] if found.sigstore else []
    if not known:
        return "intact, and not signed: anyone who changed a file could have written its checksum anew."
    line = f"intact, signed {' and '.join(known)}."
    if found.signer and not keyed:
        line += " Whose key that is, the pack cannot say: compare it, or give --key."
    if found.sigstore and not named:
        line += " Anybody can sign through sigstore: compare the name, or give --identity."
    return line
