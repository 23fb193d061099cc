"""Charts are drawn once for the same results; pages are the same, drawn or read."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from audit.results.write import write_report
from audit.storage.store import Store
from reports.formats import charts
from tests.reports.sample import sample


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The specifications that Vega was given."""
    asked: list[str] = []
    by_vega = charts.vl_convert.vegalite_to_svg

    def draw(specified: str) -> str:
        asked.append(specified)
        return by_vega(specified)

    monkeypatch.setattr(charts.vl_convert, "vegalite_to_svg", draw)
    return asked


def pages(folder: Path, store: Store | None, lang: str = "en") -> dict[str, bytes]:
    charts._drawn.cache_clear()
    write_report(folder, sample(), lang=lang, store=store)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_results_are_drawn_once(tmp_path: Path, drawn: list[str]) -> None:
    store = Store(tmp_path / "store")
    plain = pages(tmp_path / "plain", None)
    many = len(drawn)
    assert many > 1
    assert pages(tmp_path / "first", store) == plain
    assert pages(tmp_path / "again", store) == plain
    assert len(drawn) == 2 * many
    pages(tmp_path / "chinese", store, "zh")
    assert len(drawn) > 2 * many


def test_a_shared_store_gives_no_drawings(tmp_path: Path, drawn: list[str]) -> None:
    class Remote:
        def holds(self, name: str) -> bool:
            raise AssertionError(name)

        fetch = put = remove = holds

    store = Store(tmp_path / "store")
    shared = dataclasses.replace(store)
    object.__setattr__(shared, "remote", Remote())
    pages(tmp_path / "report", shared)
    assert drawn


def test_a_report_needs_no_store_that_can_be_written(tmp_path: Path, drawn: list[str]) -> None:
    place = tmp_path / "file"
    place.write_text("")
    assert "report.html" in pages(tmp_path / "report", Store(place))
    assert drawn
