"""Every kind of change to a file is named."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.evidence import checksums
from reports.evidence.checksums import Change

FILES = {"results.json": b"{}", "figures/a.svg": b"<svg/>", "summary.pdf": b"%PDF"}


def present(files: dict[str, bytes]) -> dict[str, str]:
    return {name: checksums.digest(content) for name, content in files.items()}


def changes(files: dict[str, bytes]) -> list[Change]:
    listed, wrong = checksums.parse(checksums.listing(FILES))
    assert not wrong
    return checksums.differences(listed, present(files))


def test_what_was_written_is_read_back_and_nothing_differs() -> None:
    assert changes(FILES) == []


def test_a_changed_file_a_missing_one_and_one_too_many_are_named() -> None:
    files = {"results.json": b"{ }", "summary.pdf": FILES["summary.pdf"], "more.txt": b"x"}
    assert [(one.kind, one.name) for one in changes(files)] == [
        ("changed", "results.json"),
        ("missing", "figures/a.svg"),
        ("added", "more.txt"),
    ]


def test_a_file_under_another_name_was_renamed() -> None:
    files = {**FILES, "b.svg": FILES["figures/a.svg"]}
    del files["figures/a.svg"]
    assert changes(files) == [Change(kind="renamed", name="figures/a.svg", detail="b.svg")]


@pytest.mark.parametrize("line", ["nonsense", "0" * 63 + "  a", "0" * 64 + " a", "A" * 64 + "  a"])
def test_a_line_that_is_none_is_named(line: str) -> None:
    _, wrong = checksums.parse(f"{line}\n".encode())
    assert [(one.kind, one.detail) for one in wrong] == [("malformed", "line 1")]


def test_a_name_listed_twice_is_named() -> None:
    line = f"{'0' * 64}  a\n"
    _, wrong = checksums.parse((line + line).encode())
    assert wrong[0].detail == "line 2 lists a again"


@given(st.binary(max_size=300))
def test_no_bytes_make_it_crash(content: bytes) -> None:
    checksums.parse(content)


def test_sha256sum_accepts_it(tmp_path: Path) -> None:
    for name, content in {**FILES, checksums.NAME: checksums.listing(FILES)}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    done = subprocess.run(["sha256sum", "--check", "--strict", checksums.NAME], cwd=tmp_path, capture_output=True)
    assert done.returncode == 0, done.stderr
