"""A signature over a pack's checksums: Ed25519 with the user's own key, which standard tools can check too; or through
sigstore, with an identity instead of a key.

sha256sum --check SHA256SUMS
openssl pkeyutl -verify -rawin -pubin -inkey SHA256SUMS.pub -in SHA256SUMS -sigfile SHA256SUMS.sig
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from audit.results.sigstore_bundle import Bundled, checked, signed
from audit.storage.atomic import write
from probes.errors import InputError, StoreError
from reports.evidence import checksums
from reports.evidence.checksums import NAME, PUBLIC_KEY, SIGNATURE, SIGSTORE, Change

PASSPHRASE = "AUDIT_KEY_PASSPHRASE"
EXIT_CHANGED, EXIT_UNSIGNED = 1, 3
LARGEST = 1 << 20
"""Largest size in bytes of a key, a signature or a list of checksums."""


def default_key() -> Path:
    """The path of the user's own key."""
    folder = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(folder) / "transfer-audit" / "signing-key.pem"


@dataclass(frozen=True, kw_only=True)
class Signature:
    """Who signed a pack.

    fingerprint  of the public key; "" if sigstore signed
    key          the path of the private key; None if sigstore signed
    new          whether it was created now
    sigstore     who signed through sigstore, and who vouched for that; "" if a key signed
    """

    fingerprint: str = ""
    key: Path | None = None
    new: bool = False
    sigstore: str = ""


@dataclass(frozen=True, kw_only=True)
class Verification:
    """The result of verifying an evidence pack.

    changes    since it was made and signed
    signer     fingerprint of the key that signed it; "" if none did
    sigstore   the signer of a valid sigstore bundle; "" if there is none
    unchecked  why an existing bundle was not checked; "" if it was
    """

    changes: tuple[Change, ...]
    signer: str
    sigstore: str = ""
    unchecked: str = ""

    @property
    def intact(self) -> bool:
        return not self.changes

    @property
    def exit_code(self) -> int:
        """0 if intact and signed, 1 if changed, 3 if intact but not signed by anyone known."""
        if self.changes:
            return EXIT_CHANGED
        return 0 if self.signer or self.sigstore else EXIT_UNSIGNED


def sign(
    pack: str | Path,
    key: str | Path | None = None,
    *,
    sigstore: bool = False,
    trust_config: str | Path | None = None,
) -> Signature:
    """Sign an evidence pack with your own Ed25519 key (a missing key is created first), or through sigstore.

    pack          the folder that `report(..., "evidence", out)` filled
    key           your private key, a PEM file; default: the one in your configuration folder; encrypted if
                  $AUDIT_KEY_PASSPHRASE is set
    sigstore      sign with your identity instead, which a public log then records; needs a network; off by default
    trust_config  a client trust configuration, the services of your own sigstore; default: the public ones

    Returns the signer's fingerprint and where the key lies (its public half lies beside it, as .pub), or who signed
    through sigstore. Raises InputError where a file differs from its checksum, the key cannot be read or sigstore does
    not sign, StoreError if a file cannot be written.

    >>> import tempfile
    >>> from audit.results.export import report
    >>> from reports.example import example_report
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     pack = Path(folder, "pack")
    ...     _ = report(example_report(), "evidence", pack)
    ...     signed = sign(pack, Path(folder, "key.pem"))
    ...     checked = verify(pack, Path(folder, "key.pub"))
    >>> signed.new, checked.intact, checked.signer == signed.fingerprint
    (True, True, True)
    """
    folder, path = Path(pack), Path(key) if key is not None else default_key()
    trust = _trust(trust_config)
    listed = _small(folder / NAME, "a pack's checksums", "Create the pack: audit report --format evidence -o DIR.")
    if changes := _against(folder, listed):
        raise InputError(f"{said(changes[0])}; nothing was signed.", where=str(folder), do="Create the pack again.")
    if sigstore:
        bundle, who = signed(listed, trust)
        write(folder / SIGSTORE, bundle)
        return Signature(sigstore=who)
    new = not path.exists()
    private = make_key(path) if new else load_key(path)
    write(folder / PUBLIC_KEY, _pem(private.public_key()))
    write(folder / SIGNATURE, private.sign(listed))
    return Signature(fingerprint=fingerprint(private.public_key()), key=path, new=new)


def verify(
    pack: str | Path,
    key: str | Path | None = None,
    *,
    identity: str | None = None,
    issuer: str | None = None,
    trust_config: str | Path | None = None,
) -> Verification:
    """What was changed in an evidence pack since it was made and signed, and who signed it.

    pack          the pack's folder; a sigstore bundle in it is checked too, without a network
    key           the signer's public key, a PEM file: no other is accepted. Without one, only the key that signed the
                  pack can be reported, not whose it is
    identity      an address or URL that a sigstore bundle must be of; None, the default, for any signer
    issuer        the issuer that must vouch for that identity; None, the default, for any
    trust_config  a client trust configuration, the roots of trust of your own sigstore; default: the public ones

    Returns the changes (none in an intact pack) and who signed. Raises InputError if the folder is not a pack or the
    key cannot be read. `sign` has an example.

    >>> verify("gone")
    Traceback (most recent call last):
    ...
    probes.errors.InputError: gone/SHA256SUMS: no such file (a pack's checksums). Is the folder complete?
    """
    folder = Path(pack)
    listed = _small(folder / NAME, "a pack's checksums", "Is the folder complete?")
    changes, signer = _signature(folder, listed, Path(key) if key is not None else None)
    bundled = _bundle(folder, listed, identity, issuer, _trust(trust_config))
    changes += [*_against(folder, listed), *([bundled.change] if bundled.change else [])]
    return Verification(
        changes=tuple(changes),
        signer=signer,
        sigstore=bundled.signer,
        unchecked=f"{SIGSTORE} {bundled.unchecked}" if bundled.unchecked else "",
    )


def _trust(path: str | Path | None) -> bytes | None:
    return None if path is None else _small(Path(path), "a client trust configuration", "Give another --trust-config.")


def _bundle(pack: Path, listed: bytes, identity: str | None, issuer: str | None, trust: bytes | None) -> Bundled:
    path = pack / SIGSTORE
    if not path.is_file():
        return Bundled(change=Change(kind="missing", name=SIGSTORE)) if identity else Bundled()
    return checked(listed, _small(path, "a sigstore bundle", "Sign again."), identity, issuer, trust)


def _signature(pack: Path, listed: bytes, key_path: Path | None) -> tuple[list[Change], str]:
    there = [(pack / name).is_file() for name in (SIGNATURE, PUBLIC_KEY)]
    if not any(there):
        return ([Change(kind="missing", name=SIGNATURE)] if key_path else []), ""
    if not all(there):
        return [Change(kind="missing", name=SIGNATURE if there[1] else PUBLIC_KEY)], ""
    try:
        own = _public(pack / PUBLIC_KEY)
    except InputError:
        return [Change(kind="malformed", name=PUBLIC_KEY, detail="no Ed25519 public key")], ""
    wanted = own if key_path is None else _public(key_path)
    changes = []
    if fingerprint(own) != fingerprint(wanted):
        detail = f"signed by {fingerprint(own)}, not by the key given, {fingerprint(wanted)}"
        changes.append(Change(kind="changed", name=PUBLIC_KEY, detail=detail))
    signature = _small(pack / SIGNATURE, "a signature", "")
    if len(signature) != 64:
        return [*changes, Change(kind="malformed", name=SIGNATURE, detail=f"{len(signature)} bytes, not 64")], ""
    try:
        own.verify(signature, listed)
    except InvalidSignature:
        return [*changes, Change(kind="changed", name=NAME, detail="or its signature, after signing")], ""
    return changes, fingerprint(own)


def _against(pack: Path, listing: bytes) -> list[Change]:
    """What differs from the checksums, and from those that the statement inside repeats."""
    listed, wrong = checksums.parse(listing)
    present: dict[str, str] = {}
    links = []
    for path in sorted(pack.rglob("*")):
        name = path.relative_to(pack).as_posix()
        if path.is_symlink():
            links.append(Change(kind="changed", name=name, detail="replaced by a link"))
            present[name] = listed.get(name, "")
        elif path.is_file():
            present[name] = checksums.digest(path.read_bytes())
    found = [*wrong, *links, *checksums.differences(listed, present)]
    named = {change.name for change in found}
    return found + [one for one in _repeated(pack, present) if one.name not in named]


def _repeated(pack: Path, present: dict[str, str]) -> list[Change]:
    """Files whose checksum was rewritten in one place but not in the other."""
    from reports.evidence.statement import NAME as STATEMENT
    from reports.evidence.statement import subjects

    path = pack / STATEMENT
    if not path.is_file() or path.is_symlink():
        return []
    try:
        told = subjects(path.read_bytes())
    except ValueError:
        return [Change(kind="malformed", name=STATEMENT)]
    changed = [name for name, digest in told.items() if name in present and present[name] != digest]
    gone = [name for name in told if name not in present]
    detail = f"{STATEMENT} has another digest of it"
    return [Change(kind="changed", name=name, detail=detail) for name in sorted(changed)] + [
        Change(kind="missing", name=name, detail=f"{STATEMENT} names it") for name in sorted(gone)
    ]


def said(change: Change) -> str:
    """The change as one line."""
    words = {
        "changed": "was changed",
        "missing": "is missing",
        "added": "was added",
        "renamed": f"was renamed to {change.detail}",
        "malformed": "is malformed",
    }
    detail = f" ({change.detail})" if change.detail and change.kind != "renamed" else ""
    return f"{change.name} {words[change.kind]}{detail}"


def make_key(path: Path) -> Ed25519PrivateKey:
    """A new private key, readable only by its owner; encrypted if $AUDIT_KEY_PASSPHRASE is set."""
    key = Ed25519PrivateKey.generate()
    phrase = os.environ.get(PASSPHRASE, "").encode()
    how: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if phrase:
        how = serialization.BestAvailableEncryption(phrase)
    text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(text)
    except OSError as error:
        raise StoreError(f"cannot be written: {error.strerror}.", where=str(path), do="Give another --key.") from None
    write(path.with_suffix(".pub"), _pem(key.public_key()))
    return key


def load_key(path: Path) -> Ed25519PrivateKey:
    """Raises InputError for anything other than an Ed25519 private key, or if its passphrase is not in
    $AUDIT_KEY_PASSPHRASE."""
    content = _small(path, "a private key", "Give another --key.")
    try:
        key = serialization.load_pem_private_key(content, os.environ.get(PASSPHRASE, "").encode() or None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InputError(
            f"is not a private key that can be read: {error}.", where=str(path), do=f"Is ${PASSPHRASE} right?"
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError(
            "is not an Ed25519 key.", where=str(path), do="Give another --key, or a new path to create one."
        )
    return key


def fingerprint(key: Ed25519PublicKey) -> str:
    """sha256 (hex) of the raw public key."""
    return checksums.digest(key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw))


def _public(path: Path) -> Ed25519PublicKey:
    """A public key, read from its file or from the private key."""
    content = _small(path, "a key", "Give the signer's public key.")
    if b"PRIVATE KEY" in content:
        return load_key(path).public_key()
    try:
        key = serialization.load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InputError(f"is not a public key: {error}.", where=str(path)) from None
    if not isinstance(key, Ed25519PublicKey):
        raise InputError("is not an Ed25519 key.", where=str(path))
    return key


def _pem(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _small(path: Path, what: str, do: str) -> bytes:
    try:
        if path.stat().st_size > LARGEST:
            raise InputError(f"is too large for {what}.", where=str(path), do=do)
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"no such file ({what}).", where=str(path), do=do) from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}.", where=str(path), do=do) from None
