"""Whoever edits results or a configuration may not turn a model that fails into one that passes silently."""

import json
from pathlib import Path

import pytest
import torch

from audit.config import audit_config
from audit.results.gate import run_gate
from audit.storage.store import DamagedWarning, Store
from probes.errors import ConfigError
from probes.texts import texts
from reports import archive
from tests.reports.sample import sample


def judged(capsys, folder: Path, content: dict, config: str = "") -> dict:
    (folder / "results.json").write_text(json.dumps(content), encoding="utf-8")
    (folder / "a.toml").write_text(config, encoding="utf-8")
    asked = audit_config.load(folder / "a.toml", folder)
    run_gate(folder / "results.json", asked, baseline=None, as_json=True, lang="en", quiet=False)
    said: dict = json.loads(capsys.readouterr().out)
    return said


@pytest.fixture
def passing() -> dict:
    content: dict = json.loads(archive.dump(sample(0.02)))
    content["audit"]["probes"] = dict.fromkeys(("membership", "overfitting", "drift", "contamination"), "on")
    return content


OFF = """
[probes.contamination]
enabled = false
[probes.membership]
enabled = false
[probes.drift]
enabled = false
"""


def test_a_result_that_was_taken_out_is_undecided(capsys, tmp_path, passing):
    for i in range(len(passing["results"])):
        probe = passing["results"][i]["probe"]
        fewer = passing | {"results": [one for j, one in enumerate(passing["results"]) if i != j]}
        said = judged(capsys, tmp_path, fewer)
        assert said["status"] != "pass"
        title = texts("en").find("probes", probe, "title")
        assert f"{title} did not run, or its result was removed." in said["notes"]


def test_a_probe_of_the_profile_must_have_run_even_where_nothing_is_recorded(capsys, tmp_path, passing):
    del passing["audit"]["probes"]
    passing["results"] = [one for one in passing["results"] if one["probe"] == "overfitting"]
    assert judged(capsys, tmp_path, passing)["status"] == "undecided"
    said = judged(capsys, tmp_path, passing, OFF)
    assert "Leakage was switched off." in said["notes"]


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ('[gate]\nprofile = "none"\n[thresholds.overfitting]\n"recipe.accuracy_gap" = { max = 1e308 }', "is none"),
        ('[gate]\nprofile = "research"', "is research"),
        ("[gate]\nlevel = 0.6", "allows an error rate of 0.4 instead of 0.05"),
        ('[gate]\non_undecided = "warn"', "do not stop the gate"),
        ('[thresholds.overfitting]\n"recipe.accuracy_gap" = { max = 1e308 }', "max 1e+308 instead of"),
    ],
)
def test_thresholds_looser_than_the_defaults_are_listed_in_the_verdict(capsys, tmp_path, passing, config, says):
    assert any(says in note for note in judged(capsys, tmp_path, passing, config)["notes"])
    assert not any(says in note for note in judged(capsys, tmp_path, passing)["notes"])


def test_a_bound_on_the_other_side_adds_to_the_default():
    config = audit_config.parse({"thresholds": {"overfitting": {"recipe.accuracy_gap": {"min": -1.0}}}}, "t")
    mine = [one for one in config.gate().thresholds if one.estimate == "recipe.accuracy_gap"]
    assert sorted(one.direction for one in mine) == ["max", "min"]


@pytest.mark.parametrize("expires", [1.8e9, 1_800_000_000, "2027-01-01T00:00:00", "1800000000", "2027-1-1", True])
def test_a_waiver_ends_on_a_date_and_nothing_else(expires):
    waiver = {"probe": "overfitting", "estimate": "recipe.accuracy_gap", "reason": "known", "expires": expires}
    with pytest.raises(ConfigError, match="expires on a date"):
        audit_config.parse({"waivers": [waiver]}, "t")
    audit_config.parse({"waivers": [waiver | {"expires": "2027-01-01"}]}, "t")


def test_an_entry_under_another_key_is_ignored(tmp_path):
    store = Store(tmp_path)
    one, other = "a" * 64, "ab" * 32
    store.write(one, {"x": torch.zeros(3)})
    store.write(other, {"x": torch.ones(3)})
    first, second = (next(tmp_path.rglob(f"{key}.safetensors")) for key in (one, other))
    first.write_bytes(second.read_bytes())
    with pytest.warns(DamagedWarning, match="checksum differs"):
        assert store.read(one, again="again") is None
    assert store.read(other, again="again") is not None
