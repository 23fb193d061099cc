"""`audit sign`."""

from __future__ import annotations

from rich.console import Console

from audit.cli import options as o
from audit.cli import validate
from probes.errors import ConfigError


def sign(
    pack: o.Pack,
    key: o.PrivateKey = None,
    sigstore: o.Sigstore = False,
    trust_config: o.TrustConfig = None,
) -> None:
    """Sign an evidence pack with your own Ed25519 key, or through sigstore.

    The key is created if there is none, and encrypted if $AUDIT_KEY_PASSPHRASE is set. Give its .pub file to those who
    verify. With --sigstore, the identity is that of the token in $SIGSTORE_IDENTITY_TOKEN, of the CI job, or of whoever
    logs in with the browser that opens.

    [dim]$[/dim] audit report report/results.json -f evidence -o evidence
    [dim]$[/dim] audit sign evidence --key team.pem
    [dim]$[/dim] audit sign evidence --sigstore
    """
    validate.must_exist(pack, "folder")
    if sigstore and key is not None:
        raise ConfigError("signs without a key.", where="--sigstore", do="Leave out --key, or sign twice.")
    if trust_config is not None and not sigstore:
        raise ConfigError("says which sigstore signs.", where="--trust-config", do="Give --sigstore too.")
    from audit.results import signing

    signed = signing.sign(pack, key, sigstore=sigstore, trust_config=trust_config)
    if signed.key is not None and signed.new:
        told = f"A new key: {signed.key}; give {signed.key.with_suffix('.pub')} to anyone who verifies."
        Console(stderr=True).print(told, markup=False)
    who = f"through sigstore by {signed.sigstore}" if sigstore else f"by {signed.fingerprint}"
    Console().print(f"{pack}: signed {who}", highlight=False, markup=False, soft_wrap=True)
