"""What an audit leaves on the disk."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from audit.results.read import read_results
from audit.results.write import write_report
from audit.storage.atomic import write
from probes.errors import StoreError
from probes.result import Gallery, Result
from reports import archive
from reports.formats import html
from tests.reports.sample import sample


@pytest.mark.parametrize("thumbnails", [True, False])
def test_without_thumbnails_no_file_holds_an_image(tmp_path: Path, thumbnails: bool) -> None:
    report = sample()
    pictures = [
        base64.b64encode(picture.tobytes())
        for result in report.results
        if isinstance(result, Result)
        for figure in result.figures
        if isinstance(figure, Gallery)
        for row in figure.rows
        for picture in row.pictures
    ]
    write_report(tmp_path, report if thumbnails else report.without_pictures(), lang="en")
    written = {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert (b"data:image" in written["report.html"]) is thumbnails
    assert any(one in written["results.json"] for one in pictures) is thumbnails
    assert not any(one in content for one in pictures for name, content in written.items() if name != "results.json")
    kept = archive.load(written["results.json"].decode()).results
    assert [one.probe for one in kept] == [one.probe for one in report.results]


def test_results_outlive_a_page_that_cannot_be_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def render(*_: object, **__: object) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr(html, "render", render)
    with pytest.raises(ZeroDivisionError):
        write_report(tmp_path, sample(), lang="en")
    assert read_results(tmp_path / "results.json").verdict == sample().verdict


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("as it was")
    with pytest.raises(StoreError, match="cannot be written"):
        write(tmp_path / "there" / "below", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
    assert (tmp_path / "there").read_text() == "as it was"
