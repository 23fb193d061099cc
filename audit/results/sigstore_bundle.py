"""A keyless signature over a pack's checksums: a sigstore bundle, made by the services that a trust configuration names
(by default sigstore's public ones) and checked without a network against its roots of trust."""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from probes.errors import InputError
from reports.evidence.checksums import SIGSTORE, Change

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from sigstore.hashes import Hashed
    from sigstore.models import ClientTrustConfig
    from sigstore.oidc import IdentityToken

ISSUERS = ("1.3.6.1.4.1.57264.1.8", "1.3.6.1.4.1.57264.1.1")
"""The extensions of a Fulcio certificate with the issuer of the identity: the newer one, and the one it replaced."""
TOKEN = "SIGSTORE_IDENTITY_TOKEN"
INSTALL = "pip install 'transfer-audit[sigstore]'"


@dataclass(frozen=True, kw_only=True)
class Bundled:
    """The result for a bundle: `signer` if it is valid, a change if it is not, or why it was not checked."""

    signer: str = ""
    change: Change | None = None
    unchecked: str = ""


def signed(listed: bytes, trust: bytes | None) -> tuple[bytes, str]:
    """Signs with a key that exists only for this signature: a certificate binds it to the identity of whoever signs,
    and a public log records it. The identity is that of the token in $SIGSTORE_IDENTITY_TOKEN, of the machine (on
    GitHub, GitLab and others), or of whoever logs in with the browser that opens. `trust` is a client trust
    configuration; None for sigstore's public services.

    Returns the bundle, and who signed. Raises InputError where nothing could be signed.
    """
    try:
        from sigstore.sign import SigningContext
    except ImportError:
        raise InputError("sigstore is not installed; nothing was signed.", do=INSTALL) from None
    logging.getLogger("sigstore").setLevel(logging.ERROR)
    try:
        config = _config(trust, offline=False)
        with SigningContext.from_trust_config(config).signer(_token(config)) as signer:
            bundle = signer.sign_artifact(listed)
    except InputError:
        raise
    except Exception as error:  # of the library, of requests, and of whatever an unexpected answer leads to
        why = _line(error) or type(error).__name__
        raise InputError(
            f"sigstore's services did not sign: {why}; nothing was signed.",
            do="Without a network, sign with a key: leave out --sigstore.",
        ) from None
    return bundle.to_json().encode(), _signer(bundle.signing_certificate)


def _token(config: ClientTrustConfig) -> IdentityToken:
    from sigstore.oidc import IdentityToken, Issuer, detect_credential

    if (given := os.environ.get(TOKEN) or detect_credential()) is not None:
        return IdentityToken(given)
    if not sys.stdin.isatty():
        raise InputError(
            "no identity to sign with; nothing was signed.",
            do=f"Set ${TOKEN}, allow the job an id token, or run it in a terminal.",
        )
    return Issuer(config.signing_config.get_oidc_url()).identity_token()


def _config(trust: bytes | None, *, offline: bool) -> ClientTrustConfig:
    from pydantic import ValidationError
    from sigstore.errors import Error
    from sigstore.models import ClientTrustConfig

    if trust is None:
        return ClientTrustConfig.production(offline=offline)
    try:
        config = ClientTrustConfig.from_json(trust.decode())
        _ = config.trusted_root, config.signing_config  # both are checked when they are asked for
        return config
    except ValidationError as error:
        first = error.errors()[0]
        why = f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
    except (Error, ValueError) as error:
        why = _line(error)
    raise InputError(f"is not a client trust configuration of sigstore: {why}.", where="--trust-config")


def checked(
    listed: bytes | Hashed, bundle: bytes, identity: str | None, issuer: str | None, trust: bytes | None = None
) -> Bundled:
    """Checks certificate, transparency log and signature; and the signer, if `identity` (an address or a URL,
    optionally of `issuer`) is given. The roots of trust are those of the configuration `trust`, or those that come with
    the library. Raises InputError if they cannot be read."""
    try:
        from sigstore.errors import Error, VerificationError
        from sigstore.models import Bundle, InvalidBundle
        from sigstore.verify import Verifier, policy
    except ImportError:
        return Bundled(unchecked=f"was not checked: {INSTALL}")
    logging.getLogger("sigstore").setLevel(logging.ERROR)  # the library warns that it is offline, which is intended
    wanted = policy.Identity(identity=identity, issuer=issuer) if identity else policy.UnsafeNoOp()
    try:
        verifier = Verifier(trusted_root=_config(trust, offline=True).trusted_root)
    except (Error, OSError) as error:
        raise InputError(f"sigstore's roots of trust cannot be read: {error}.", where=SIGSTORE) from None
    try:
        read = Bundle.from_json(bundle)
        verifier.verify_artifact(listed, read, wanted)
        return Bundled(signer=_signer(read.signing_certificate))
    except InvalidBundle as error:
        return Bundled(change=Change(kind="malformed", name=SIGSTORE, detail=_line(error)))
    except VerificationError as error:
        return Bundled(
            change=Change(kind="changed", name=SIGSTORE, detail=f"not a signature of these checksums: {_line(error)}")
        )


def _signer(certificate: Certificate) -> str:
    """The identity in the certificate, and its issuer."""
    from cryptography.x509 import ExtensionNotFound, ObjectIdentifier, SubjectAlternativeName, UnrecognizedExtension

    names = certificate.extensions.get_extension_for_class(SubjectAlternativeName).value
    who = ", ".join(str(getattr(name, "value", name)) for name in names)
    for number in ISSUERS:
        try:
            found = certificate.extensions.get_extension_for_oid(ObjectIdentifier(number)).value
        except ExtensionNotFound:
            continue
        if isinstance(found, UnrecognizedExtension):
            # The newer extension is a DER string: its tag and length come first.
            told = found.value[2:] if number == ISSUERS[0] and len(found.value) < 128 else found.value
            return f"{who} ({told.decode('utf-8', errors='replace')})"
    return who


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200].rstrip(". ")
