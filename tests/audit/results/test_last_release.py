"""The last release is found in the folder of audits by itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from audit.config.audit_config import load
from audit.results.last_release import last_release
from probes.errors import InputError
from reports import archive
from tests.reports.sample import sample


def put(folder: Path, gap: float, day: str) -> Path:
    """An audit that passes (gap 0.02), or not (0.3), finished on this day."""
    folder.mkdir(parents=True)
    (folder / "results.json").write_text(archive.dump(sample(gap)))
    (folder / "run.json").write_text(json.dumps({"finished": f"{day}T12:00:00+00:00"}))
    return folder / "results.json"


def test_it_is_the_newest_that_passed(tmp_path: Path) -> None:
    put(tmp_path / "v1", 0.02, "2026-01-01")
    second = put(tmp_path / "nightly" / "v2", 0.02, "2026-02-01")
    put(tmp_path / "v3", 0.3, "2026-03-01")
    assert last_release(tmp_path) == second


def test_without_one_that_passed_it_is_the_newest(tmp_path: Path) -> None:
    put(tmp_path / "v1", 0.3, "2026-01-01")
    newest = put(tmp_path / "v2", 0.1, "2026-02-01")
    assert last_release(tmp_path) == newest


def test_what_is_about_to_be_replaced_is_none(tmp_path: Path) -> None:
    first = put(tmp_path / "v1", 0.02, "2026-01-01")
    put(tmp_path / "v2", 0.02, "2026-02-01")
    assert last_release(tmp_path, tmp_path / "v2") == first
    assert last_release(tmp_path / "v2", tmp_path / "v2") is None


def test_an_empty_folder_holds_none_and_a_missing_one_is_an_error(tmp_path: Path) -> None:
    assert last_release(tmp_path) is None
    with pytest.raises(InputError, match="is not a folder"):
        last_release(tmp_path / "missing")
    assert last_release(tmp_path / "missing", tmp_path / "missing" / "v1") is None


def test_the_configuration_names_the_folder_from_where_it_lies(tmp_path: Path) -> None:
    path = tmp_path / "audit.toml"
    path.write_text('[gate]\nhistory = "reports"\n')
    assert load(path, Path.cwd()).history == tmp_path / "reports"
