from __future__ import annotations

import dataclasses
import json
import os
from importlib.resources import files
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from probes.message import Message
from probes.partial_result import rests_on
from probes.result import Gallery, Result
from reports import archive, per_sample
from reports.archive import ArchiveError
from tests.reports.sample import HOSTILE, estimate, sample

SCHEMA = json.loads((files("reports") / "schema" / "results.schema.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("report", [sample(), sample(0.02), sample(label=HOSTILE), sample(failed=True)])
def test_follows_its_schema_and_comes_back_whole(report) -> None:  # type: ignore[no-untyped-def]
    text = archive.dump(report)
    jsonschema.validate(json.loads(text), SCHEMA)
    assert archive.dump(archive.load(text)) == text
    assert archive.load(text).verdict == report.verdict


def test_images_come_back_bit_for_bit() -> None:
    report = sample()
    back = archive.load(archive.dump(report))
    for one, other in zip(report.results, back.results, strict=True):
        assert isinstance(one, Result)
        assert isinstance(other, Result)
        assert one.estimates == other.estimates
        for before, after in zip(one.figures, other.figures, strict=True):
            if isinstance(before, Gallery):
                assert isinstance(after, Gallery)
                for a, b in zip(before.rows[0].pictures, after.rows[0].pictures, strict=True):
                    assert a.dtype == b.dtype
                    np.testing.assert_array_equal(a, b)


def test_schema_refuses_what_is_not_of_it() -> None:
    content = json.loads(archive.dump(sample()))
    content["results"][0]["estimates"][0]["unit"] = 3
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, SCHEMA)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "truncated"),
        (archive.dump(sample())[:300], "truncated"),
        ("[]", "not a results.json"),
        ('{"schema_version": 2}', "2"),
        ('{"schema_version": 1}', "missing or invalid part"),
    ],
)
def test_damaged_files_are_one_line(text: str, says: str) -> None:
    with pytest.raises(ArchiveError, match=says) as caught:
        archive.load(text, "some.json")
    assert str(caught.value).startswith("some.json: ")
    assert "\n" not in str(caught.value)


def test_samples_table() -> None:
    lines = per_sample.to_csv(sample()).splitlines()
    assert lines == ["sample,overfitting.memorisation,drift.drift", "0,0.5,0.1", "1,,0.2", "2,1,"]


def test_columns_keep_their_order() -> None:
    report = sample()
    read = archive.load(archive.dump(report))
    for before, after in zip(report.results, read.results, strict=True):
        assert [list(f.columns) for f in before.figures if not isinstance(f, Gallery)] == [
            list(f.columns) for f in after.figures if not isinstance(f, Gallery)
        ]


@pytest.mark.parametrize(("name", "gap"), [("fail", 0.3), ("undecided", 0.1), ("pass", 0.02)])
def test_golden(name: str, gap: float) -> None:
    """Programs read these keys: to renew after a change that is meant, `GOLDEN=write pytest tests/reports`."""
    path = Path(__file__).parent / "golden" / f"{name}.json"
    text = archive.dump(sample(gap))
    if os.environ.get("GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text


def test_messages_of_a_strangers_estimate_come_back_as_messages() -> None:
    advice = Message("gate.take-copies-out")
    own = Result(
        probe="strangers",
        params={},
        estimates=(estimate("share", 0.5, 0.1, decided_by=advice, quality=True, grown_by="rounds"),),
        examined=rests_on(3),
    )
    report = dataclasses.replace(sample(), results=(own,))
    (read,) = archive.load(archive.dump(report)).results
    assert isinstance(read, Result)
    assert (read.estimates, read.examined) == (own.estimates, own.examined)
