"""`audit sign`."""

from __future__ import annotations

from rich.console import Console

from audit.cli import options as o
from audit.cli import validate


def sign(
    pack: o.Pack,
    key: o.PrivateKey = None,
) -> None:
    """Sign an evidence pack with your own Ed25519 key.

    The key is created if there is none, and encrypted if $AUDIT_KEY_PASSPHRASE is set. Give its .pub file to those who
    verify.

    [dim]$[/dim] audit report report/results.json -f evidence -o evidence
    [dim]$[/dim] audit sign evidence --key team.pem
    """
    validate.must_exist(pack, "folder")
    from audit.results import signing

    signed = signing.sign(pack, key)
    if signed.new:
        told = f"A new key: {signed.key}; give {signed.key.with_suffix('.pub')} to anyone who verifies."
        Console(stderr=True).print(told, markup=False)
    Console().print(f"{pack}: signed by {signed.fingerprint}", highlight=False, markup=False, soft_wrap=True)
