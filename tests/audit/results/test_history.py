from __future__ import annotations

from pathlib import Path

import pytest

from audit.results.history import run_history
from probes.errors import InputError
from reports import dump
from reports.example import example_report


@pytest.mark.parametrize(("name", "begins"), [("all.html", "<!doctype html>"), ("all.csv", "run,"), ("all.md", "# ")])
def test_a_file_for_which_no_format_is_named_has_that_of_its_name(tmp_path: Path, name: str, begins: str) -> None:
    (tmp_path / "results.json").write_text(dump(example_report()), encoding="utf-8")
    run_history(tmp_path, "table", tmp_path / name, (), "en")
    assert (tmp_path / name).read_text(encoding="utf-8").lower().startswith(begins)
    with pytest.raises(InputError, match=r"a history has no format \.pdf\. Known: \.html"):
        run_history(tmp_path, "table", tmp_path / "all.pdf", (), "en")
