"""A keyless signature over a pack's checksums: the bundle written by `python -m sigstore sign`, checked without a
network by the sigstore library and its built-in roots of trust."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from probes.errors import InputError
from reports.evidence.checksums import SIGSTORE, Change

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from sigstore.hashes import Hashed

ISSUERS = ("1.3.6.1.4.1.57264.1.8", "1.3.6.1.4.1.57264.1.1")
"""The extensions of a Fulcio certificate with the issuer of the identity: the newer one, and the one it replaced."""


@dataclass(frozen=True, kw_only=True)
class Bundled:
    """The result for a bundle: `signer` if it is valid, a change if it is not, or why it was not checked."""

    signer: str = ""
    change: Change | None = None
    unchecked: str = ""


def checked(listed: bytes | Hashed, bundle: bytes, identity: str | None, issuer: str | None) -> Bundled:
    """Checks certificate, transparency log and signature; and the signer, if `identity` (an address or a URL,
    optionally of `issuer`) is given. Raises InputError if the roots of trust cannot be read."""
    try:
        from sigstore.errors import Error, VerificationError
        from sigstore.models import Bundle, InvalidBundle
        from sigstore.verify import Verifier, policy
    except ImportError:
        return Bundled(unchecked="was not checked: pip install 'transfer-audit[sigstore]'")
    logging.getLogger("sigstore").setLevel(logging.ERROR)  # the library warns that it is offline, which is intended
    wanted = policy.Identity(identity=identity, issuer=issuer) if identity else policy.UnsafeNoOp()
    try:
        verifier = Verifier.production(offline=True)
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
