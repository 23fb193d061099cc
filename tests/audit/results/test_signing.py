"""Ten ways to tamper with a signed pack, each named by `verify`; and the key is the signer's own."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from audit.results.export import run_report
from audit.results.signing import _public, load_key, make_key, said, sign, verify
from probes.errors import InputError, OverwriteError
from reports import archive
from reports.evidence import checksums
from reports.formats.base import Style
from tests.audit.command import audit
from tests.reports.sample import full


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A signed pack and its signer's public key."""
    folder = tmp_path_factory.mktemp("signed")
    (folder / "results.json").write_text(archive.dump(full()), encoding="utf-8")
    (folder / "samples.csv").write_text("sample\n0\n", encoding="utf-8")
    run_report(folder / "results.json", "evidence", folder / "pack", Style(thumbnails=True))
    sign(folder / "pack", folder / "team.pem")
    return folder / "pack", folder / "team.pub"


def rewrite_sums(pack: Path) -> None:
    """As somebody does who knows how the list is made."""
    files = {str(p.relative_to(pack)): p.read_bytes() for p in pack.rglob("*") if p.is_file()}
    (pack / checksums.NAME).write_bytes(checksums.listing(files))


def better_result(pack: Path) -> None:
    path = pack / "results.json"
    path.write_text(path.read_text().replace('"status": "fail"', '"status": "pass"', 1))


def better_result_with_new_sums(pack: Path) -> None:
    better_result(pack)
    rewrite_sums(pack)


def signed_again_by_somebody_else(pack: Path) -> None:
    better_result(pack)
    statement = json.loads((pack / "statement.intoto.json").read_text())
    for one in statement["subject"]:
        if one["name"] == "results.json":
            one["digest"]["sha256"] = checksums.digest((pack / "results.json").read_bytes())
    (pack / "statement.intoto.json").write_text(json.dumps(statement))
    rewrite_sums(pack)
    sign(pack, pack.parent / "stranger.pem")


def linked(pack: Path) -> None:
    (pack.parent / "elsewhere.json").write_bytes((pack / "recipe.json").read_bytes())
    (pack / "recipe.json").unlink()
    (pack / "recipe.json").symlink_to(pack.parent / "elsewhere.json")


TAMPERINGS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a digit of the results": (better_result, "results.json was changed"),
    "the results, with their checksum": (better_result_with_new_sums, "results.json was changed"),
    "a byte appended to the page": (
        lambda pack: (pack / "report.html").write_bytes((pack / "report.html").read_bytes() + b" "),
        "report.html was changed",
    ),
    "a file removed": (lambda pack: (pack / "annex.zh.md").unlink(), "annex.zh.md is missing"),
    "a file and its checksum removed": (
        lambda pack: ((pack / "thresholds.json").unlink(), rewrite_sums(pack)),
        "thresholds.json is missing",
    ),
    "a file added": (lambda pack: (pack / "approval.txt").write_text("approved"), "approval.txt was added"),
    "a file renamed": (
        lambda pack: (pack / "summary.pdf").rename(pack / "old.pdf"),
        "summary.pdf was renamed to old.pdf",
    ),
    "a link in a file's place": (linked, "recipe.json was changed (replaced by a link)"),
    "the signature cut off": (
        lambda pack: (pack / "SHA256SUMS.sig").write_bytes((pack / "SHA256SUMS.sig").read_bytes()[:60]),
        "SHA256SUMS.sig is malformed (60 bytes, not 64)",
    ),
    "the signature removed": (lambda pack: (pack / "SHA256SUMS.sig").unlink(), "SHA256SUMS.sig is missing"),
    "the signature and its key removed": (
        lambda pack: [(pack / name).unlink() for name in ("SHA256SUMS.sig", "SHA256SUMS.pub")],
        "SHA256SUMS.sig is missing",
    ),
    "all of it signed again by somebody else": (signed_again_by_somebody_else, "SHA256SUMS.pub was changed (signed by"),
    "the list with other line ends": (
        lambda pack: (pack / "SHA256SUMS").write_bytes((pack / "SHA256SUMS").read_bytes().replace(b"\n", b"\r\n")),
        "SHA256SUMS was changed (or its signature, after signing)",
    ),
}


@pytest.mark.parametrize("what", TAMPERINGS)
def test_a_tampering_is_named(what: str, signed: tuple[Path, Path], tmp_path: Path) -> None:
    pack, public = signed
    copy = tmp_path / "pack"
    shutil.copytree(pack, copy)
    tamper, named = TAMPERINGS[what]
    tamper(copy)
    found = verify(copy, public)
    assert any(said(change).startswith(named) for change in found.changes), [said(one) for one in found.changes]
    assert (found.intact, found.exit_code) == (False, 1)


def test_an_intact_pack_is_the_signers(signed: tuple[Path, Path]) -> None:
    pack, public = signed
    done = audit("verify", pack, "--key", public, cwd=pack.parent)
    assert (done.returncode, "signed by the key given" in done.stdout) == (0, True)


def test_without_a_key_it_says_that_it_cannot_say_whose(signed: tuple[Path, Path]) -> None:
    done = audit("verify", signed[0], cwd=signed[0].parent)
    assert (done.returncode, "Whose key that is" in done.stdout) == (0, True)


def test_a_new_key_is_announced(signed: tuple[Path, Path], tmp_path: Path) -> None:
    copy = tmp_path / "pack"
    shutil.copytree(signed[0], copy)
    for new in (True, False):
        done = audit("sign", copy, "--key", tmp_path / "mine.pem", cwd=tmp_path)
        assert ("A new key" in done.stderr) is new
        assert verify(copy, tmp_path / "mine.pub").signer in done.stdout.replace("\n", "")


def test_an_unsigned_pack_is_intact_and_no_more(signed: tuple[Path, Path], tmp_path: Path) -> None:
    copy = tmp_path / "pack"
    shutil.copytree(signed[0], copy)
    for name in ("SHA256SUMS.sig", "SHA256SUMS.pub"):
        (copy / name).unlink()
    assert verify(copy, None).exit_code == 3


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl on this machine")
def test_openssl_verifies_the_signature(signed: tuple[Path, Path]) -> None:
    command = "openssl pkeyutl -verify -rawin -pubin -inkey SHA256SUMS.pub -in SHA256SUMS -sigfile SHA256SUMS.sig"
    done = subprocess.run(command.split(), cwd=signed[0], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_changed_pack_is_not_signed(signed: tuple[Path, Path], tmp_path: Path) -> None:
    copy = tmp_path / "pack"
    shutil.copytree(signed[0], copy)
    better_result(copy)
    with pytest.raises(InputError, match=r"results\.json was changed; nothing was signed"):
        sign(copy, tmp_path / "key.pem")
    assert not (tmp_path / "key.pem").exists()


def test_a_new_key_is_its_owners_alone_and_encrypted_by_a_passphrase(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUDIT_KEY_PASSPHRASE", "long and secret")
    path = tmp_path / "keys" / "mine.pem"
    make_key(path)
    assert path.stat().st_mode & 0o077 == 0
    assert b"ENCRYPTED" in path.read_bytes()
    load_key(path)
    monkeypatch.delenv("AUDIT_KEY_PASSPHRASE")
    with pytest.raises(InputError, match=r"Is \$AUDIT_KEY_PASSPHRASE right"):
        load_key(path)


@pytest.mark.parametrize("content", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_an_invalid_key_is_refused_in_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not a private key"):
        load_key(path)


def test_a_folder_that_is_not_empty_is_left_alone(signed: tuple[Path, Path]) -> None:
    with pytest.raises(OverwriteError, match="is not empty"):
        run_report(signed[0] / "results.json", "evidence", signed[0], Style(thumbnails=True))


@pytest.mark.parametrize(("name", "read"), [("key.pem", load_key), ("key.pub", _public)])
def test_a_key_of_an_unknown_kind_is_refused_in_one_line(tmp_path: Path, name: str, read: Callable[[Path], object]):
    """One bit of the algorithm's number."""
    make_key(tmp_path / "key.pem")
    path = tmp_path / name
    head, *lines, foot = path.read_text().strip().splitlines()
    other = base64.b64decode("".join(lines)).replace(b"\x2b\x65\x70", b"\x2b\x65\x6c")
    path.write_text("\n".join([head, base64.b64encode(other).decode(), foot]))
    with pytest.raises(InputError, match="Unknown key type"):
        read(path)
