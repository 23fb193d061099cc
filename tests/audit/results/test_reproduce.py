"""An audit registered, run, packed, and repeated from its pack: the same bytes, or the place where they differ."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import audit
from audit.checkpoints import checkpoint
from audit.checkpoints.open_model import open_checkpoint
from audit.config.run_settings import Settings
from audit.results.export import run_report
from audit.results.registration import NAME
from probes.errors import InputError, OverwriteError
from reports import archive
from reports.document.outline import outline
from reports.formats.base import Style
from tests.audit.command import audit as command
from tests.audit.command import refused
from tests.audit.conftest import EXAMPLES

RECIPE = """
name = "small"
seed = 3
data = { kind = "digits", classes = ["5", "6", "7", "8", "9"] }
split = { members = 60, held_out = 60, validation = 30 }
source = { model = "small_networks:digits_cnn", options = { width = 2 } }
train = { epochs = 2, lr = 0.05, batch_size = 25 }
"""
OTHERS = ("contamination", "drift", "forgetting", "inheritance", "membership")
OFF = "".join(f"[probes.{name}]\nenabled = false\n" for name in OTHERS)
CONFIG = f"{OFF}[probes.overfitting]\nrepeats = 2\nlearning_curve = false\nlinear_probe = false\ncapacity = false\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evidence")
    (folder / "recipe.toml").write_text(RECIPE)
    shutil.copy(EXAMPLES / "small_networks.py", folder)
    (folder / "audit.toml").write_text(CONFIG)
    audit.finetune(folder / "recipe.toml", folder / "ckpt.pt")
    audit.register(folder / "audit.toml")
    variants(folder)
    done = command(
        *("run", "-m", "ckpt.pt", "-c", "audit.toml", "-o", "report", "--store", "store", "--workers", "1", "--quiet"),
        *("--no-thumbnails", "--trust-code", "--variant", "Int8 (static).npz", "--variant", "pruned.pth"),
        *("--tried", "tried.npz"),
        cwd=folder,
    )
    assert done.returncode in (0, 1, 3), done.stderr
    run_report(folder / "report" / "results.json", "evidence", folder / "pack", Style(thumbnails=False))
    return folder


def variants(folder: Path) -> None:
    """What an engine of eight bits answers, and weights of which the smallest are zero."""
    state = checkpoint.load(folder / "ckpt.pt").state
    torch.save({name: value * (value.abs() > 0.05) for name, value in state.items()}, folder / "pruned.pth")
    opened = open_checkpoint(folder / "ckpt.pt", Settings(store=folder / "store", trust_code=True))
    samples = len(opened.experiment.dataset)
    np.savez(folder / "tried.npz", predicted=np.random.default_rng(1).integers(5, size=(4, samples)))
    np.savez(folder / "Int8 (static).npz", outputs=np.random.default_rng(0).normal(size=(samples, 5)))


def results(place: Path) -> dict:  # type: ignore[type-arg]
    return json.loads((place / "report" / "results.json").read_text())  # type: ignore[no-any-return]


def test_the_run_says_that_it_used_what_was_registered(place: Path) -> None:
    told = results(place)["audit"]["registration"]
    fixed = json.loads((place / NAME).read_text())
    assert (told["status"], told["digest"], told["changed"]) == ("as registered", fixed["digest"], [])
    report = archive.load((place / "report" / "results.json").read_text())
    assert "are those registered on" in outline(report).registered
    assert "与" in outline(report, "zh").registered


def test_the_pack_repeated_gives_the_same_bytes_wherever_model_and_variants_lie_now(place: Path) -> None:
    moved = place / "moved"
    moved.mkdir()
    for name in ("ckpt.pt", "pruned.pth", "small_networks.py"):
        shutil.copy(place / name, moved)
    places = ("--model", "moved/ckpt.pt", "--variant", "moved/pruned.pth", "--store", "store")
    done = command("reproduce", "pack", *places, "--workers", "1", "--trust-code", cwd=place)
    assert done.returncode == 0, done.stderr
    assert "results.json is the same" in done.stdout


def test_variants_given_on_the_command_line_are_in_the_report_and_the_log(place: Path) -> None:
    estimates = {one["name"]: one for probe in results(place)["results"] for one in probe["estimates"]}
    assert {"variant.int8-static.accuracy_change", "variant.pruned.accuracy_change"} <= estimates.keys()
    assert set(results(place)["model"]["variants"]) == {"int8-static", "pruned"}
    log = json.loads((place / "pack" / "log.json").read_text())
    assert (log["tried"], estimates["selection.bias"]["n"]) == ("tried.npz", 60)
    assert log["variants"] == {"int8-static": "Int8 (static).npz", "pruned": "pruned.pth"}


def test_variants_that_are_ambiguous_or_were_not_audited_are_refused_in_one_line(place: Path) -> None:
    (place / "other").mkdir()
    shutil.copy(place / "pruned.pth", place / "other" / "Pruned.pth")
    both = ("--variant", "pruned.pth", "--variant", "other/Pruned.pth")
    line = refused(command("run", "-m", "ckpt.pt", *both, "--trust-code", cwd=place))
    assert "two variants are called 'pruned'" in line
    line = refused(command("reproduce", "pack", "--variant", "ckpt.pt", "--trust-code", cwd=place))
    assert "the audit had no variant 'ckpt'; it had int8-static, pruned" in line


def test_a_result_that_does_not_come_out_again_is_named(place: Path) -> None:
    path = place / "pack" / "results.json"
    honest = path.read_text()
    content = json.loads(honest)
    content["results"][0]["estimates"][0]["value"] = 0.123456
    path.write_text(json.dumps(content))
    found = audit.reproduce(
        place / "pack",
        model=place / "ckpt.pt",
        variants=(place / "Int8 (static).npz", place / "pruned.pth"),
        tried=place / "tried.npz",
        store=place / "store",
        workers=1,
        trust_code=True,
    )
    path.write_text(honest)
    assert (found.same, found.exit_code) == (False, 1)
    said = "\n".join(found.explained)
    assert "results[overfitting].estimates[checkpoint.train_accuracy].value: 0.123456 →" in said


def test_a_pack_that_does_not_say_how_it_was_run_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "log.json").write_text("{}")
    with pytest.raises(InputError, match="does not say how the audit was run"):
        audit.reproduce(tmp_path)


def test_the_log_says_who_ran_what_and_when(place: Path) -> None:
    log = json.loads((place / "report" / "log.json").read_text())
    events = [one["event"] for one in log["events"]]
    assert events[0] == "stage"
    assert events[-1] == "verdict"
    assert next(one for one in log["events"] if one["event"] == "replicas")["trained"] > 0
    assert "torch" in log["installed"]
    assert {"by", "commit", "finished"} <= set(json.loads((place / "report" / "run.json").read_text()))


def test_judged_by_other_thresholds_it_is_not_as_registered(place: Path) -> None:
    changed = place / "changed"
    changed.mkdir()
    (changed / "audit.toml").write_text(CONFIG + '[thresholds.overfitting]\n"recipe.accuracy_gap" = { max = 0.9 }\n')
    (changed / NAME).write_bytes((place / NAME).read_bytes())
    out = place / "report" / "results.json"
    told = audit.gate(out, changed / "audit.toml").audit["registration"]
    assert told["status"] == "changed"  # type: ignore[index, call-overload]
    assert told["changed"] == [  # type: ignore[index, call-overload]
        "thresholds overfitting.recipe.accuracy_gap bound: 0.1 → 0.9",
        "thresholds overfitting.recipe.accuracy_gap must_exist: false → true",
    ]


def test_a_registration_that_was_edited_is_refused(place: Path, tmp_path: Path) -> None:
    from audit.results.registration import find

    text = (place / NAME).read_text().replace('"bound": 0.1,', '"bound": 0.9,', 1)
    (tmp_path / NAME).write_text(text)
    with pytest.raises(InputError, match="was changed after it was written"):
        find(tmp_path / "audit.toml")


def test_a_registration_is_not_written_over(place: Path) -> None:
    with pytest.raises(OverwriteError, match="exists already"):
        audit.register(place / "audit.toml")
