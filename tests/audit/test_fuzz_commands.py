"""Files of strangers given to whole commands: whatever they print, show or serve is a result or one line."""

from __future__ import annotations

import json
import random
import tomllib
import zlib
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import torch

from audit.checkpoints.lora_folder import read_adapter
from audit.data.canaries import CanaryFile
from audit.results.view import pages_of
from reports import archive, per_sample
from tests.audit.command import audit
from tests.audit.fuzzing import CONFIG, Door, alarm, as_toml, broken
from tests.audit.mutation import changed, damaged
from tests.reports.sample import full, sample

__all__ = ["alarm"]
GOLDEN = Path(__file__).parents[1] / "reports" / "golden"
RESULTS = [
    *(json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8")) for name in ("fail", "pass", "undecided")),
    json.loads(archive.dump(full())),
]
SAMPLES = per_sample.to_csv(sample())
COST = {"finished": "2026-01-01T00:00:00+00:00", "seconds": 3.5, "workers": 2, "machine": "a machine"}
FRONTIER = {
    "candidates": [
        {
            "name": name,
            "digest": "00",
            "verdict": "fail",
            "measures": [
                {"probe": "membership", "name": "recipe.auc", "value": 0.7, "low": 0.6, "high": None, "unit": "AUC",
                 "change": "worse"},
            ],
        }
        for name in ("as it is", "early stop")
    ]
}  # fmt: skip
FORMATS = ("html", "markdown", "summary", "junit", "sarif", "github", "gitlab", "model-card", "csv", "evidence")


def _json(content: object, rng: random.Random) -> bytes:
    whole = json.dumps(changed(content, rng) if rng.random() < 0.8 else content).encode()
    return damaged(whole, rng) if rng.random() < 0.15 else whole


def _toml(text: str, rng: random.Random) -> bytes:
    return as_toml(changed(tomllib.loads(text), rng)) if rng.random() < 0.8 else damaged(text.encode(), rng)


def _audits(folder: Path, rng: random.Random) -> Path:
    """Two audits, of which one file is changed."""
    whole = rng.choice(RESULTS)
    whole["model"]["digest"] = "00"
    files = {
        "results.json": lambda own: _json(whole, own),
        "samples.csv": lambda own: damaged(SAMPLES.encode(), own),
        "run.json": lambda own: _json(COST, own),
        "frontier.json": lambda own: _json(FRONTIER, own),
        "audit.toml": lambda own: _toml(CONFIG, own),
    }
    intact = {
        "results.json": json.dumps(whole).encode(),
        "run.json": json.dumps(COST).encode(),
        "frontier.json": json.dumps(FRONTIER).encode(),
        "audit.toml": CONFIG.encode(),
    }
    touched = rng.choices(sorted(files), weights=(1, 1, 6, 1, 1))[0]
    for place in ("old", "new"):
        (folder / place).mkdir(exist_ok=True)
        (folder / place / "samples.csv").unlink(missing_ok=True)
        for name, content in intact.items():
            (folder / place / name).write_bytes(content)
    (folder / "new" / touched).write_bytes(files[touched](rng))
    return folder / "new"


def _ended(*words: str | Path, cwd: Path, codes: tuple[int, ...]) -> str:
    """What the command printed. Raises AssertionError if it ended in another way than with a result or one line."""
    done = audit(*words, cwd=cwd)
    said = done.stderr.strip().splitlines()
    assert done.returncode in (*codes, 2), (done.returncode, done.stderr[-1500:])
    assert "Traceback" not in done.stderr, done.stderr[-1500:]
    assert all(line.startswith(("audit: ", "::")) for line in said), said[:3]
    assert done.returncode != 2 or (len(said) == 1 and len(said[0]) < 2500), said[:3]
    assert not any(one in done.stdout for one in "\x00\x1b\u202e"), "a control character"
    return done.stdout if done.returncode != 2 else ""


def _gate(path: Path) -> None:
    for extra in (("--json",), ("--lang", "zh", "--also", "junit,sarif")):
        words = ("gate", path, "-c", path / "audit.toml", *extra)
        out = _ended(*words, cwd=path.parent, codes=(0, 1, 3, 4))
        if out and "--json" in extra:
            json.loads(out)
    if (path / "junit.xml").exists():
        ET.fromstring((path / "junit.xml").read_bytes())
        (path / "junit.xml").unlink()


def _report(path: Path) -> None:
    """In a format and a language that the content chooses."""
    seed = zlib.crc32((path / "results.json").read_bytes())
    form, lang, out = FORMATS[seed % len(FORMATS)], ("en", "zh")[seed // 16 % 2], path.parent / f"made-{seed}"
    _ended("report", path, "--format", form, "--lang", lang, "-o", out, cwd=path.parent, codes=(0,))
    if out.is_file():
        text = out.read_text(encoding="utf-8")
        assert form != "html" or "<script>alert" not in text
        assert form not in ("sarif", "gitlab") or json.loads(text) is not None
        assert form != "junit" or ET.fromstring(text) is not None


def _compare(path: Path) -> None:
    for words in ((path.with_name("old"), path, "--json"), (path, path.with_name("old"), "--lang", "zh")):
        _ended("compare", *words, cwd=path.parent, codes=(0, 1))


def _history(path: Path) -> None:
    for form in ("table", "csv", "markdown", "html"):
        _ended("history", path.parent, "--format", form, "--lang", "zh", cwd=path.parent, codes=(0,))


def _view(path: Path) -> None:
    for page in pages_of(path.parent, lang="en", thumbnails=True).values():
        page()


def _canaries(folder: Path, rng: random.Random) -> Path:
    drawn = [{"row": {"output": f"canary {i}"}, "included": i % 2 == 0, "copies": 1 + i} for i in range(4)]
    content = {"format": "transfer-audit-canaries/1", "canaries": drawn, "references": [{"output": "another"}]}
    (folder / "canaries.json").write_bytes(_json(content, rng))
    return folder / "canaries.json"


def _adapter(folder: Path, rng: random.Random) -> Path:
    from safetensors.torch import save

    sides = {"A": torch.ones(2, 4), "B": torch.ones(4, 2)}
    weights = save({f"base_model.model.q.lora_{side}.weight": value for side, value in sides.items()})
    config = {
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": "base", "r": 2, "lora_alpha": 4,
        "lora_dropout": 0.0, "target_modules": ["q"], "bias": "none", "use_rslora": True,
    }  # fmt: skip
    place = folder / "adapter"
    place.mkdir(exist_ok=True)
    first = rng.random() < 0.7
    (place / "adapter_config.json").write_bytes(_json(config, rng) if first else json.dumps(config).encode())
    (place / "adapter_model.safetensors").write_bytes(weights if first else damaged(weights, rng))
    return place


def _inspect(path: Path) -> None:
    _ended("inspect", path, cwd=path.parent, codes=(0, 1))


def _inspect_adapter(path: Path) -> None:
    _inspect(path)
    read_adapter(path)


def _read_canaries(path: Path) -> None:
    CanaryFile.read(path)


DOORS: dict[str, Door] = {
    "gate": (_audits, _gate, 3),
    "report": (_audits, _report, 5),
    "compare": (_audits, _compare, 4),
    "history": (_audits, _history, 2),
    "view": (_audits, _view, 1),
    "canaries": (_canaries, _read_canaries, 40),
    "adapter": (_adapter, _inspect_adapter, 5),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("alarm")
@pytest.mark.parametrize("name", DOORS)
def test_no_command_breaks(tmp_path, name):
    make, door, times = DOORS[name]
    assert broken(door, make, tmp_path, range(times)) == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("alarm")
@pytest.mark.parametrize("name", DOORS)
def test_no_command_breaks_in_the_long_run(tmp_path, name):
    make, door, times = DOORS[name]
    assert broken(door, make, tmp_path, range(1000, 1000 + 100 * times)) == []
