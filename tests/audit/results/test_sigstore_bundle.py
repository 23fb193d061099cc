"""Bundles of sigstore: one that a public release was signed with, checked without a network; and a pack signed through
the library by stand-ins for sigstore's services (`sigstore_services`), checked with the trust configuration of these.

`bundles/wheel.sigstore.json` is that of rfc8785-0.1.2's wheel, which its project's workflow signed; from the test files
of sigstore-python (Apache-2.0).
"""

from __future__ import annotations

import builtins
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audit.results.signing import said, sign, verify
from audit.results.sigstore_bundle import TOKEN, Bundled, checked
from reports import archive
from reports.evidence import checksums
from tests.audit.command import audit as command
from tests.audit.command import refused
from tests.audit.results.sigstore_services import ISSUER as OWN_ISSUER
from tests.audit.results.sigstore_services import identity_token, running
from tests.reports.sample import full

BUNDLE = Path(__file__).parent / "bundles" / "wheel.sigstore.json"
WHEEL = "c4e92e9ecc828bef2aa7dba1de8ac983511f7532a0df11c770d39099a25cf201"
WHO = "https://github.com/trailofbits/rfc8785.py/.github/workflows/release.yml@refs/tags/v0.1.2"
ISSUER = "https://token.actions.githubusercontent.com"


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """Unsigned."""
    report = full()
    made = {"results.json": archive.dump(report).encode()}
    for name, content in {**made, checksums.NAME: checksums.listing(made)}.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def of_the_wheel(identity: str | None = None, issuer: str | None = None, digest: str = WHEEL) -> Bundled:
    pytest.importorskip("sigstore")
    from sigstore.hashes import Hashed
    from sigstore_models.common.v1 import HashAlgorithm

    hashed = Hashed(algorithm=HashAlgorithm.SHA2_256, digest=bytes.fromhex(digest))
    return checked(hashed, BUNDLE.read_bytes(), identity, issuer)


def test_a_good_bundle_says_who_signed_and_who_vouched_for_that() -> None:
    for found in (of_the_wheel(), of_the_wheel(WHO), of_the_wheel(WHO, ISSUER)):
        assert found == Bundled(signer=f"{WHO} ({ISSUER})")


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (lambda: of_the_wheel("somebody@example.org"), "do not match somebody@example.org"),
        (lambda: of_the_wheel(WHO, "https://accounts.google.com"), "accounts.google.com"),
        (lambda: of_the_wheel(digest="ab" * 32), "digest mismatch"),
    ],
)
def test_another_signer_and_other_checksums_are_reported(made: Callable[[], Bundled], says: str) -> None:
    found = made()
    assert not found.signer
    assert found.change is not None
    assert says in found.change.detail


def test_a_pack_with_the_bundle_of_something_else_was_changed(pack: Path) -> None:
    pytest.importorskip("sigstore")
    shutil.copy(BUNDLE, pack / checksums.SIGSTORE)
    (change,) = verify(pack).changes
    assert said(change).startswith(f"{checksums.SIGSTORE} was changed (not a signature of these checksums")


@pytest.mark.parametrize("content", ["{}", "no json", json.dumps({"mediaType": "application/json"})])
def test_an_invalid_bundle_is_malformed_even_next_to_a_valid_signature(content: str, pack: Path) -> None:
    pytest.importorskip("sigstore")
    sign(pack, pack.parent / f"{pack.name}.pem")
    (pack / checksums.SIGSTORE).write_text(content)
    (change,) = verify(pack).changes
    assert said(change).startswith(f"{checksums.SIGSTORE} is malformed")


def test_without_the_library_the_bundle_is_said_not_to_be_checked(pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("sigstore"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    shutil.copy(BUNDLE, pack / checksums.SIGSTORE)
    done = command("verify", ".", cwd=pack)
    told = " ".join(done.stdout.split())
    assert done.returncode == 3
    assert "was not checked: pip install 'transfer-audit[sigstore]'" in told
    assert "intact, and not signed" in told


def test_an_identity_asks_for_a_bundle_and_an_issuer_for_an_identity(pack: Path) -> None:
    done = command("verify", ".", "--identity", "you@example.org", cwd=pack)
    assert done.returncode == 1
    assert f"{checksums.SIGSTORE} is missing" in done.stdout
    line = refused(command("verify", ".", "--issuer", ISSUER, cwd=pack))
    assert "says who vouches for --identity" in line


ME = "me@example.org"


@pytest.fixture
def trust(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trust") / "trust.json"


@pytest.fixture
def own(pack: Path, trust: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pack that `audit sign --sigstore` signed through a private sigstore."""
    pytest.importorskip("sigstore")
    monkeypatch.setenv(TOKEN, identity_token(ME))
    with running() as services:
        trust.write_text(services.trust)
        done = command("sign", ".", "--sigstore", "--trust-config", trust, cwd=pack)
    assert (done.returncode, done.stdout.strip()) == (0, f".: signed through sigstore by {ME} ({OWN_ISSUER})")
    return pack


def test_a_pack_is_signed_through_sigstore_and_verified_without_its_services(own: Path, trust: Path) -> None:
    given = ("verify", ".", "--trust-config", trust, "--identity")
    done = command(*given, ME, "--issuer", OWN_ISSUER, cwd=own)
    assert (done.returncode, "signed through sigstore by me@example.org" in done.stdout) == (0, True)
    done = command(*given, "you@example.org", cwd=own)
    assert (done.returncode, "do not match you@example.org" in done.stdout) == (1, True)
    # It is not a signature that the public sigstore's roots vouch for.
    assert not verify(own).sigstore
    (own / "results.json").write_bytes((own / "results.json").read_bytes() + b" ")
    made = {"results.json": (own / "results.json").read_bytes()}
    (own / checksums.NAME).write_bytes(checksums.listing(made))
    (change,) = verify(own, trust_config=trust).changes
    assert said(change).startswith(f"{checksums.SIGSTORE} was changed (not a signature of these checksums")


def test_what_sigstore_refuses_is_one_line_and_nothing_is_signed(
    pack: Path, trust: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sigstore")
    given = ("sign", ".", "--sigstore", "--trust-config", trust)
    with running(refuse=True) as services:
        trust.write_text(services.trust)
        monkeypatch.setenv(TOKEN, "no token")
        assert "Identity token is malformed" in refused(command(*given, cwd=pack))
        monkeypatch.delenv(TOKEN)
        monkeypatch.setattr("sigstore.oidc.detect_credential", lambda: None)
        monkeypatch.setattr("sys.stdin", io.StringIO())
        assert f"Set ${TOKEN}" in refused(command(*given, cwd=pack))
        monkeypatch.setenv(TOKEN, identity_token(ME))
        assert "sigstore's services did not sign" in refused(command(*given, cwd=pack))
    assert "sign with a key: leave out --sigstore" in refused(command(*given, cwd=pack))  # nobody answers any more
    trust.write_text("{}")
    assert "is not a client trust configuration" in refused(command(*given, cwd=pack))
    assert not (pack / checksums.SIGSTORE).exists()


def test_options_that_contradict_each_other_are_refused(pack: Path) -> None:
    assert "signs without a key" in refused(command("sign", ".", "--sigstore", "--key", "a.pem", cwd=pack))
    assert "Give --sigstore too" in refused(command("sign", ".", "--trust-config", "a.json", cwd=pack))
