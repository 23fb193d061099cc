"""The real command, as a user calls it: exit codes, one clear line, nothing half-written."""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import audit as api
from probes.errors import InputError
from probes.probe import PROBES
from tests.audit.command import audit, refused
from tests.audit.small import RECIPE


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small model and its audit."""
    folder = tmp_path_factory.mktemp("user")
    (folder / "recipe.toml").write_text(RECIPE)
    made = audit("finetune", "recipe.toml", "--out", "ckpt.pt", cwd=folder)
    assert made.returncode == 0, made.stderr
    done = audit("run", "--model", "ckpt.pt", "--out", "one", "--workers", "1", cwd=folder)
    assert done.returncode in (0, 1, 3), done.stderr
    return folder


def test_run_leaves_every_report(place: Path) -> None:
    found = {path.name for path in (place / "one").iterdir()}
    assert {"report.html", "report.md", "results.json", "samples.csv", "run.json"} <= found
    results = json.loads((place / "one" / "results.json").read_text())
    assert {result["probe"] for result in results["results"]} >= {"membership", "overfitting", "drift"}
    assert not [result for result in results["results"] if "failure" in result]


def test_same_bytes_whatever_the_workers_and_what_the_store_has(place: Path) -> None:
    """Half of the replicas are gone, and one is damaged."""
    shutil.copytree(place / "cache" / "transfer-audit", place / "other")
    damaged, *others = sorted((place / "other").glob("??/*.safetensors"))
    damaged.write_bytes(damaged.read_bytes()[:-1])
    for path in others[::2]:
        path.unlink()
    done = audit("run", "--model", "ckpt.pt", "--out", "two", "--workers", "2", "--store", "other", cwd=place)
    assert (place / "two" / "results.json").read_bytes() == (place / "one" / "results.json").read_bytes()
    # Which entry comes first depends on the code: a replica, what was seen in one, the model's answers, or a division.
    assert len(re.findall(r"damaged \(.*?\); .*? again\.", " ".join(done.stderr.split()))) == 1


def test_a_budget_and_an_early_stop_say_what_they_left_out(place: Path) -> None:
    text = "".join(f"[probes.{name}]\nenabled = false\n" for name in PROBES.names() if name != "overfitting")
    text += '[probes.overfitting]\nrepeats = 8\n[gate]\nprofile = "none"\n'
    # One check, which the first look decides.
    (place / "one-probe.toml").write_text(f'{text}[thresholds.overfitting]\n"recipe.accuracy_gap" = {{ max = 0.99 }}\n')
    limited = ("--budget", "1s", "--stop-early", "--config", "one-probe.toml", "--workers", "1")
    done = audit("run", "--model", "ckpt.pt", "--out", "limited", *limited, cwd=place)
    assert done.returncode in (0, 1, 3), done.stderr
    results = json.loads((place / "limited" / "results.json").read_text())
    assert "The budget of 1s allowed" in results["audit"]["limits"][0]
    assert "3 of 8 splits" in results["audit"]["limits"][0]
    assert results["audit"]["replicas"]["splits"] == 4
    assert results["audit"]["sequential"]["looks_after_rounds"] == [2, 3]
    assert "The budget of 1s allowed" in done.stdout
    assert "not a duration" in refused(audit("run", "--model", "ckpt.pt", "--budget", "soon", cwd=place))
    assert "--executor ray" in refused(audit("run", "--model", "ckpt.pt", "--address", "auto", cwd=place))


def test_exit_code_is_the_gates(place: Path) -> None:
    thresholds = {
        0: '[thresholds.overfitting]\n"checkpoint.held_out_accuracy" = { min = 0.0001 }\n',
        1: '[thresholds.overfitting]\n"checkpoint.held_out_accuracy" = { min = 0.9999 }\n',
    }
    status = json.loads((place / "one" / "results.json").read_text())["verdict"]["status"]
    assert audit("gate", "one/results.json", cwd=place).returncode == {"pass": 0, "fail": 1, "undecided": 3}[status]
    for code, text in thresholds.items():
        config = place / f"audit{code}.toml"
        config.write_text('[gate]\nprofile = "none"\n' + text)
        assert audit("gate", "one/results.json", "--config", config, cwd=place).returncode == code
    value = json.loads((place / "one" / "results.json").read_text())["results"]
    held_out = next(
        e["value"] for r in value for e in r["estimates"] if e["name"] == "checkpoint.held_out_accuracy"
    )  # fmt: skip
    text = (
        f'[gate]\nprofile = "none"\n[thresholds.overfitting]\n"checkpoint.held_out_accuracy" = {{ min = {held_out} }}\n'
    )
    (place / "audit3.toml").write_text(text)
    assert audit("gate", "one/results.json", "--config", "audit3.toml", cwd=place).returncode == 3


def test_a_failed_probe_is_exit_code_4(place: Path) -> None:
    results = json.loads((place / "one" / "results.json").read_text())
    results["results"][0] = {
        "probe": results["results"][0]["probe"],
        "failure": {"error": "ValueError", "message": "planted"},
    }
    (place / "broken.json").write_text(json.dumps(results))
    (place / "none.toml").write_text('[gate]\nprofile = "none"\n')
    done = audit("gate", "broken.json", "--config", "none.toml", cwd=place)
    assert done.returncode == 4
    assert "planted" in done.stdout


def test_report_in_every_format(place: Path) -> None:
    for form, name in (("html", "report.html"), ("markdown", "report.md"), ("summary", "summary.md")):
        done = audit("report", "one/results.json", "--format", form, cwd=place)
        assert done.returncode == 0, done.stderr
        assert (place / "one" / name).stat().st_size > 500


def test_probes_are_listed_and_help_is_light(place: Path) -> None:
    listed = audit("probes", cwd=place)
    assert all(name in listed.stdout for name in ("membership", "overfitting", "drift"))
    code = "import sys, runpy; sys.argv = ['audit', '--help']\ntry:\n    from audit.cli.app import main; main()\n"
    code += "except SystemExit:\n    print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=place, check=True)
    assert done.stdout.strip().endswith("False")


def test_finetune_refuses_to_overwrite(place: Path) -> None:
    before = (place / "ckpt.pt").read_bytes()
    assert "exists" in refused(audit("finetune", "recipe.toml", "--out", "ckpt.pt", cwd=place))
    assert (place / "ckpt.pt").read_bytes() == before


class Hostile:
    def __reduce__(self) -> tuple[object, ...]:
        return (os.system, ("touch ran",))


@pytest.mark.parametrize("kind", ["missing", "empty", "text", "truncated", "pickle", "torch-pickle", "bare"])
def test_bad_checkpoints_are_one_line(place: Path, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "bad.pt"
    if kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("not a checkpoint")
    elif kind == "truncated":
        path.write_bytes((place / "ckpt.pt").read_bytes()[:-4000])
    elif kind == "pickle":
        path.write_bytes(pickle.dumps(Hostile()))
    elif kind == "torch-pickle":
        torch.save({"state_dict": Hostile()}, path)
    elif kind == "bare":
        torch.save({"weight": torch.zeros(2)}, path)
    line = refused(audit("run", "--model", path, "--out", "out", cwd=tmp_path))
    assert "bad.pt" in line
    assert not (tmp_path / "ran").exists(), "code in a checkpoint ran"
    assert not (tmp_path / "out").exists()


def test_unknown_keys_suggest_the_nearest(place: Path, tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(RECIPE.replace("epochs", "epocs"))
    assert "epochs" in refused(audit("finetune", "recipe.toml", cwd=tmp_path))
    for text, wanted in (
        ("[gait]\n", "gate"),
        ('[gate]\nprofil = "strict"\n', "profile"),
        ("[probes.membershp]\n", "membership"),
        ("[probes.membership]\nrepeat = 3\n", "repeats"),
        ('[thresholds.membership]\n"recipe.auk" = { max = 0.5 }\n', "recipe.auc"),
        ('[thresholds.membership]\n"recipe.auc" = { maxx = 0.5 }\n', "max"),
    ):
        (tmp_path / "audit.toml").write_text(text)
        line = refused(audit("gate", place / "one" / "results.json", "--config", "audit.toml", cwd=tmp_path))
        assert wanted in line, line


def test_other_data_is_refused(place: Path, tmp_path: Path) -> None:
    content = torch.load(place / "ckpt.pt", weights_only=True)
    content["data"]["fingerprint"] = "0" * 64
    torch.save(content, tmp_path / "other.pt")
    assert "fingerprint" in refused(audit("run", "--model", "other.pt", cwd=tmp_path))


def test_nan_weights_are_refused(place: Path, tmp_path: Path) -> None:
    content = torch.load(place / "ckpt.pt", weights_only=True)
    name = next(iter(content["state_dict"]))
    content["state_dict"][name] = torch.full_like(content["state_dict"][name], float("nan"))
    torch.save(content, tmp_path / "nan.pt")
    assert "NaN" in refused(audit("run", "--model", "nan.pt", cwd=tmp_path))


def test_wrong_use_is_exit_code_2(tmp_path: Path) -> None:
    assert audit("run", cwd=tmp_path).returncode == 2
    assert audit("nonsense", cwd=tmp_path).returncode == 2
    assert "no such" in refused(audit("gate", "results.json", cwd=tmp_path))
    (tmp_path / "results.json").write_text('{"schema_version": 1, "tool"')
    assert "truncated" in refused(audit("gate", "results.json", cwd=tmp_path))
    (tmp_path / "results.json").write_text('{"schema_version": 99}')
    assert "99" in refused(audit("gate", "results.json", cwd=tmp_path))


def test_init_writes_what_gate_reads(place: Path, tmp_path: Path) -> None:
    made = audit("init", cwd=tmp_path)
    assert made.returncode == 0
    assert made.stdout.startswith("audit.toml: written.")
    assert audit("init", "--trainer", cwd=tmp_path).stdout.startswith("train.py: written.")
    by_default = audit("gate", place / "one" / "results.json", "--quiet", cwd=place).returncode
    assert audit("gate", place / "one" / "results.json", "-c", "audit.toml", cwd=tmp_path).returncode == by_default
    assert "exists" in refused(audit("init", cwd=tmp_path))


def test_demo_goes_on_from_its_checkpoint(place: Path) -> None:
    """What is there already is audited again, not trained again."""
    (place / "demo").mkdir()
    shutil.copy(place / "ckpt.pt", place / "demo" / "ckpt.pt")
    before = (place / "demo" / "ckpt.pt").stat().st_mtime_ns
    assert audit("demo", "--out", "demo", "--quiet", cwd=place).returncode in (0, 1, 3)
    assert (place / "demo" / "ckpt.pt").stat().st_mtime_ns == before
    assert (place / "demo" / "report.html").exists()
    assert (place / "demo" / "results.json").read_bytes() == (place / "one" / "results.json").read_bytes()


def test_inspect_plan_and_cache(place: Path, tmp_path: Path) -> None:
    shown = audit("inspect", "ckpt.pt", cwd=place)
    assert shown.returncode == 0, shown.stdout
    assert "squeezenet" in shown.stdout
    planned = audit("plan", "--model", "ckpt.pt", "--budget", "0.001s", cwd=place)
    assert planned.returncode == 0, planned.stderr
    assert "replicas, about" in planned.stdout
    assert "The budget of 0.001s allows 3 of" in planned.stdout
    listed = audit("cache", "--store", place / "cache" / "transfer-audit", cwd=tmp_path)
    assert int(listed.stdout.split(": ")[1].split(" entries")[0]) > 10
    torch.save({"weight": torch.full((2,), float("nan"))}, tmp_path / "bad.pt")
    assert audit("inspect", "bad.pt", cwd=tmp_path).returncode == 1


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (["report", "results.json", "--out", ""], "--out is empty"),
        (["finetune", "r.toml", "--out="], "--out is empty"),
        (["finetune", "r.toml", "-o", " "], "-o is empty"),
        (["run", "-m", "ckpt.pt", "--store", ""], "--store is empty"),
        (["gate", ""], "an argument is empty"),
    ],
)
def test_an_empty_path_is_not_the_working_folder(tmp_path: Path, line: list[str], says: str) -> None:
    assert says in refused(audit(*line, cwd=tmp_path))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("given", ["out", "store", "history", "reference", "data_root"])
def test_an_empty_path_is_refused_from_python_too(given: str) -> None:
    with pytest.raises(InputError, match="an empty path was given"):
        api.run("ckpt.pt", **{given: ""})  # type: ignore[arg-type]
