"""results.json, samples.csv and run.json of strangers: one line says what is wrong, whatever was changed."""

import copy
import json
from pathlib import Path

import pytest

from audit.results.history import find
from audit.results.read import load, read_cost
from probes.errors import InputError
from reports import archive, per_sample
from reports.archive import ArchiveError
from tests.reports.sample import sample

GOOD = json.loads(archive.dump(sample()))


def changed(path: str, value: object) -> dict:
    whole = copy.deepcopy(GOOD)
    part = whole
    *parents, last = [int(one) if one.isdigit() else one for one in path.split(".")]
    for name in parents:
        part = part[name]
    if value is KeyError:
        del part[last]
    else:
        part[last] = value
    return whole


def deep(depth: int) -> list:
    nested: list = []
    for _ in range(depth):
        nested = [nested]
    return nested


WRONG = [
    ("schema_version", True),
    ("schema_version", 1.0),
    ("schema_version", "1"),
    ("schema_version", KeyError),
    ("tool", []),
    ("model", None),
    ("model", {"deep": deep(40)}),
    ("data", "text"),
    ("audit", {"sequential": {"share_of_error": "all"}}),
    ("audit", {"sequential": {"share_of_error": -3}}),
    ("audit", {"probes": ["membership"]}),
    ("results", {}),
    ("results", KeyError),
    ("results", [{"probe": 3}]),
    ("results", GOOD["results"] + GOOD["results"][:1]),
    ("verdict", None),
    ("verdict.status", "fine"),
    ("verdict.level", 1e-300),
    ("verdict.checks.0.level", 2),
    ("verdict.checks.0.value", "high"),
    ("verdict.notes", "text"),
    ("results.0.probe", None),
    ("results.0.params", []),
    ("results.0.estimates", "abc"),
    ("results.0.estimates.0.value", "0.5"),
    ("results.0.estimates.0.value", 10**400),
    ("results.0.estimates.0.low", 1e300),
    ("results.0.estimates.0.level", 1e-300),
    ("results.0.estimates.0.level", 0.9999999999999999),
    ("results.0.estimates.0.n", -1),
    ("results.0.estimates.0.n", 1.5),
    ("results.0.estimates.0.n", 10**30),
    ("results.0.estimates.0.counts", [1]),
    ("results.0.estimates.0.counts", [5, 3]),
    ("results.0.estimates.0.counts", [-1, 3]),
    ("results.0.estimates.0.counts", [0, 0]),
    ("results.0.estimates.0.dof", -1),
    ("results.0.estimates.0.dof", "many"),
    ("results.0.estimates.0.better", "up"),
    ("results.0.estimates.0.name", 3),
    ("results.0.findings", [{}]),
    ("results.0.figures", [{"kind": "film"}]),
]


@pytest.mark.parametrize(("path", "value"), WRONG, ids=[f"{path}-{i}" for i, (path, _) in enumerate(WRONG)])
def test_a_wrong_part_is_refused_in_one_line(path, value):
    with pytest.raises(ArchiveError) as caught:
        archive.load(json.dumps(changed(path, value)))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"schema_version": ' + "9" * 5000 + "}",
        '{"schema_version": NaN}',
        '{"schema_version": 1, "schema_version": 1}',
        "",
        "null",
        "[]",
    ],
)
def test_text_that_is_not_results_is_refused(text):
    with pytest.raises(ArchiveError):
        archive.load(text)


@pytest.mark.parametrize("shape", [[100_000, 100_000, 3], [1e308, 8, 1]])
def test_an_image_has_the_bytes_of_its_shape(shape):
    content = copy.deepcopy(GOOD)
    rows = [figure["rows"] for result in content["results"] for figure in result.get("figures", ()) if "rows" in figure]
    rows[0][0]["pictures"][0]["shape"] = shape
    with pytest.raises(ArchiveError, match="image of shape"):
        archive.load(json.dumps(content))


@pytest.mark.parametrize("kept", [0, 2])
def test_a_row_has_at_most_a_part_for_each_heading(kept):
    content = copy.deepcopy(GOOD)
    figure = next(one for result in content["results"] for one in result.get("figures", ()) if "headings" in one)
    figure["headings"] = figure["headings"][:kept]
    with pytest.raises(ArchiveError, match=f"a row of 3 parts under {kept} headings"):
        archive.load(json.dumps(content))


@pytest.mark.parametrize(
    "text", ["", "sample\n0\n0\n", "sample,a.b,a.b\n0,1,1\n", 'sample,a.b\n0,"1\n', "sample\n1\n", "x\n"]
)
def test_samples_that_are_none(text):
    with pytest.raises(ArchiveError):
        per_sample.from_csv(sample(), text)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"high": None}, "has no high end"),
        ({"low": None, "bound": "lower"}, "has no low end"),
        ({"value": 0.9}, "holds 0.9, which lies outside its interval of 0.28"),
    ],
)
def test_an_interval_that_is_none_is_named_as_one(change, says):
    estimate = GOOD["results"][0]["estimates"][0] | change
    with pytest.raises(ArchiveError, match=says):
        archive.load(json.dumps(changed("results.0.estimates.0", estimate)))


@pytest.mark.parametrize("text", ['{"finished": {"a": 1}}', "[" * 50_000, "[]", '{"seconds": NaN}', "\x00"])
def test_a_run_json_of_strangers_takes_nothing_down(tmp_path: Path, text):
    (tmp_path / "results.json").write_text(archive.dump(sample()), encoding="utf-8")
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(InputError):
        read_cost(tmp_path / "results.json")
    assert len(find(tmp_path)) == 1


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-23:59", "0001-01-01", "tomorrow", 7])
def test_a_moment_that_cannot_be_is_not_believed(tmp_path: Path, moment):
    (tmp_path / "results.json").write_text(archive.dump(sample()), encoding="utf-8")
    (tmp_path / "run.json").write_text(json.dumps({"finished": moment}))
    assert find(tmp_path)[0].finished.startswith("20")


def test_what_was_written_is_read(tmp_path: Path):
    (tmp_path / "results.json").write_text(archive.dump(sample()), encoding="utf-8")
    (tmp_path / "samples.csv").write_text(per_sample.to_csv(sample()), encoding="utf-8")
    assert archive.dump(load(tmp_path)) == archive.dump(sample())
