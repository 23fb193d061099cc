"""Records by their owner's own ids, wherever a report names records."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from audit.data.folder import Folder
from audit.data.handed_over import handed
from audit.data.instructions import Instructions
from audit.data.table import Table
from audit.data.text import Text
from audit.evidence.predictions import Predictions
from probes.errors import DataError, InputError
from reports import archive, per_sample
from reports.document.outline import outline
from reports.formats import html
from reports.report import Report
from reports.sample_ids import with_ids
from tests.reports.sample import sample

IDS = tuple(f"P-{number:04d}" for number in range(101))


@pytest.fixture(scope="module")
def report() -> Report:
    return with_ids(sample(), IDS)


def test_results_hold_the_ids_of_named_samples_alone(report: Report) -> None:
    named = report.data["ids"]
    assert isinstance(named, dict)
    assert set(named) == {"3", "1", "2", "7", "10", "9", "100", "31", "4", "5", "60"}
    assert named["100"] == "P-0100"
    assert "P-0050" not in archive.dump(report)
    assert archive.load(archive.dump(report)).called(3) == "P-0003"


def test_findings_and_tables_name_them_and_provenance_does_not_repeat_them(report: Report) -> None:
    document = outline(report)
    (finding, *_) = next(one for one in document.sections if one.probe == "overfitting").findings
    assert finding.samples == "3 (P-0003), 1 (P-0001), 2 (P-0002)"
    page = html.render(report)
    assert "P-0100" in page
    assert not any("P-0003" in value for _, value in document.provenance)
    assert "编号" in html.render(report, lang="zh")


def test_without_ids_nothing_changes() -> None:
    plain = sample()
    assert with_ids(plain, ()) is plain
    assert per_sample.to_csv(plain).startswith("sample,overfitting")


def test_samples_csv_and_parquet_carry_all_of_them_and_no_formula(report: Report) -> None:
    short = dataclasses.replace(report, ids=("=1+1", "-x", "'=y"))
    text = per_sample.to_csv(short)
    assert text.splitlines()[1].startswith("0,'=1+1,")
    back = per_sample.from_csv(sample(), text)
    assert back.ids[:2] == ("=1+1", "-x")
    assert "id" not in per_sample.columns(back)
    from reports.formats.samples import parquet

    assert pd.read_parquet(io.BytesIO(parquet(short)))["id"].tolist() == ["=1+1", "-x", "'=y"]


def test_parquet_alone_beside_results_is_read_too(report: Report, tmp_path: Path) -> None:
    short = dataclasses.replace(report, ids=IDS[:3])
    (tmp_path / "results.json").write_text(archive.dump(short))
    from audit.results.read import load
    from reports.formats.samples import parquet

    (tmp_path / "samples.parquet").write_bytes(parquet(short))
    back = load(tmp_path)
    assert back.ids == IDS[:3]
    for name, column in per_sample.columns(short).items():
        np.testing.assert_array_equal(per_sample.columns(back)[name], column)
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "samples.parquet")
    with pytest.raises(InputError, match="is not a samples"):
        load(tmp_path)


def test_they_come_from_a_column_an_array_or_what_is_handed_over(tmp_path) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=30), "y": [0, 1] * 15, "case": [f"C{i}" for i in range(30)]})
    frame.to_csv(tmp_path / "t.csv", index=False)
    read = Table(path=tmp_path / "t.csv", target="y", ids="case").read(tmp_path, trust_code=False)
    assert read.ids[:2] == ("C0", "C1")
    assert read.feature_names == ("x",)
    frame["text"] = [f"word {i}" for i in range(30)]
    frame.to_csv(tmp_path / "texts.csv", index=False)
    texts = Text(path=tmp_path / "texts.csv", label="y", ids="case").read(tmp_path, trust_code=False)
    assert texts.ids == read.ids
    with pytest.raises(DataError, match="has no column 'cas'"):
        Text(path=tmp_path / "texts.csv", label="y", ids="cas").read(tmp_path, trust_code=False)
    content = {"features": rng.normal(size=(4, 2)), "labels": [0, 1, 0, 1], "members": [0, 1], "ids": list("abcd")}
    assert handed(content).dataset.ids == ("a", "b", "c", "d")
    with pytest.raises(DataError, match="3 ids for 2 samples"):
        Predictions(outputs=[[1.0, 0.0], [0.0, 1.0]], labels=[0, 1], members=[0], ids=[1, 2, 3]).named(2)


def test_images_are_named_by_their_paths_and_instructions_by_a_field(tmp_path: Path) -> None:
    for name in ("cats/a.png", "dogs/sub/b.png"):
        (tmp_path / "pets" / name).parent.mkdir(parents=True)
        Image.new("L", (4, 4)).save(tmp_path / "pets" / name)
    named, plain = (Folder(path=Path("pets"), ids=how).read(tmp_path, trust_code=False) for how in ("path", None))
    assert named.ids == ("cats/a.png", "dogs/sub/b.png")
    assert plain.ids == ()
    rows = [{"prompt": "a", "completion": "b", "ticket": 17}, {"prompt": "c", "completion": "d", "ticket": 18}]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    assert Instructions(path=Path("rows.json"), ids="ticket").read(tmp_path, trust_code=False).ids == ("17", "18")
    with pytest.raises(DataError, match="row 0: has no 'tickets'"):
        Instructions(path=Path("rows.json"), ids="tickets").read(tmp_path, trust_code=False)
