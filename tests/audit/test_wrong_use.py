"""Mistakes are reported immediately: a missing file or an unknown key needs no heavy import."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from reports import archive
from tests.reports.sample import sample

HEAVY = {"torch", "captum", "sklearn", "scipy.stats", "pandas"}
CODE = """
import sys
from audit.cli.app import main
try:
    main()
except SystemExit as end:
    import json
    print(json.dumps([end.code, sorted(sys.modules)]), file=sys.__stdout__)
"""


def modules(place: Path, line: str) -> tuple[int, set[str], str]:
    """Exit code, what was imported, and what was said on standard error."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, *line.split()],
        cwd=place,
        capture_output=True,
        text=True,
        check=True,
    )
    code, imported = json.loads(done.stdout.splitlines()[-1])
    return code, set(imported), done.stderr


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wrong")
    (folder / "bad.toml").write_text("x")
    (folder / "unknown.toml").write_text("[gait]\n")
    (folder / "typo.toml").write_text("[trian]\nepochs = 1\n")
    (folder / "audit_typo.toml").write_text('[thresholds.membership]\n"recipe.auk" = { max = 0.6 }\n')
    (folder / "ckpt.pt").touch()
    (folder / "results.json").write_text(archive.dump(sample()))
    return folder


@pytest.mark.parametrize("line", ["--help", "run --help", "mitigate --help"])
def test_help_is_light(place: Path, line: str) -> None:
    code, imported, _ = modules(place, line)
    assert code == 0
    assert imported & HEAVY == set()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("run", "--model: there is nothing to audit."),
        ("nonsense", "No such command 'nonsense'"),
        ("run ckpt.pt", "unexpected argument 'ckpt.pt'. Write --model ckpt.pt."),
        ("run -m no.pt", "no.pt: no such checkpoint file."),
        ("run -m bert-base-uncased", "bert-base-uncased: no such file or folder, and nothing is downloaded."),
        ("run -m ckpt.pt -c audit_typo.toml", "Did you mean 'recipe.auc'?"),
        ("run -m ckpt.pt -c no.toml", "no.toml: no such configuration file."),
        ("run -m ckpt.pt -c bad.toml", "bad.toml: is not TOML"),
        ("run -m ckpt.pt -c unknown.toml", "Did you mean 'gate'?"),
        ("run -m ckpt.pt --set gate.levl=0.9", "Did you mean 'level'?"),
        ("run -m ckpt.pt --set x", "is not of the form KEY=VALUE"),
        ("run -m ckpt.pt --budget soon", "Write 90s, 10m or 1h30m."),
        ("run -m ckpt.pt --also junitt", "--also: no format 'junitt'. Did you mean 'junit'?"),
        ("run -m ckpt.pt --lang tlh", "'tlh' is not one of"),
        ("run -m ckpt.pt -o results.json", "is a file; the report needs a folder."),
        ("mitigate -m no.pt", "no.pt: no such checkpoint file."),
        ("mitigate -m ckpt.pt -c unknown.toml", "Did you mean 'gate'?"),
        ("plan -m ckpt.pt -c bad.toml", "bad.toml: is not TOML"),
        ("finetune no.toml", "no.toml: no such recipe file."),
        ("finetune bad.toml", "bad.toml: is not TOML"),
        ("gate no.json", "no.json: no such file."),
        ("gate results.json -c unknown.toml", "Did you mean 'gate'?"),
        ("report no.json", "no.json: no such file."),
        ("compare no.json results.json", "no.json: no such results.json."),
        ("history no", "no: no such folder."),
        ("log no.json --to mlflow", "no.json: no such file."),
        ("inspect no.pt", "no.pt: no such checkpoint file."),
        ("run -m ckpt.pt --set probes.membershp.repeats=4", "unknown probe 'membershp'. Did you mean 'membership'?"),
        ("run -m ckpt.pt --recipe typo.toml", "unknown key 'trian'. Did you mean 'train'?"),
        ("finetune typo.toml", "unknown key 'trian'. Did you mean 'train'?"),
        ("mitigate -m ckpt.pt --try l3", "unknown countermeasure 'l3'."),
    ],
)
def test_wrong_use_is_said_before_anything_heavy_is_imported(place: Path, line: str, says: str) -> None:
    code, imported, said = modules(place, line)
    assert code == 2
    assert says in said
    assert "Traceback" not in said
    assert imported & HEAVY == set()
