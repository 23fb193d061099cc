"""Bundles of sigstore, checked without a network: one that a public release was signed with, and others.

`bundles/wheel.sigstore.json` is that of rfc8785-0.1.2's wheel, which its project's workflow signed; from the test files
of sigstore-python (Apache-2.0).
"""

from __future__ import annotations

import builtins
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audit.results.signing import said, sign, verify
from audit.results.sigstore_bundle import Bundled, checked
from reports import archive
from reports.evidence import checksums
from tests.audit.command import audit as command
from tests.audit.command import refused
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
def test_another_signer_or_other_checksums_are_told(made: Callable[[], Bundled], says: str) -> None:
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
def test_what_is_no_bundle_is_malformed_whoever_signed_beside_it(content: str, pack: Path) -> None:
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
