"""What an audit writes."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from audit.outputs import write_report
from probes.result import Gallery, Result
from reports import archive
from tests.reports.sample import sample


@pytest.mark.parametrize("thumbnails", [True, False])
def test_without_thumbnails_no_file_holds_a_picture(tmp_path: Path, thumbnails: bool) -> None:
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
    write_report(tmp_path, report, {}, lang="en", thumbnails=thumbnails)
    written = {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert (b"data:image" in written["report.html"]) is thumbnails
    assert any(one in written["results.json"] for one in pictures) is thumbnails
    assert not any(one in content for one in pictures for name, content in written.items() if name != "results.json")
    kept = archive.load(written["results.json"].decode()).results
    assert [one.probe for one in kept] == [one.probe for one in report.results]
