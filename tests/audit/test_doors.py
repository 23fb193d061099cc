"""What a user's machine is like: streams that are not UTF-8, folders that cannot be written, code that raises."""

import dataclasses
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from audit.cli import validate
from audit.cli.app import end_in_order, main
from audit.runtime.user_code import load_factory
from audit.storage.atomic import write
from probes.errors import AuditError, InputError, OverwriteError, StoreError, one_line
from reports import archive
from reports.formats import junit
from reports.formats.base import PLAIN
from reports.formats.registry import FORMATS
from reports.spreadsheet import cell
from tests.audit import command
from tests.audit.data.loading import load
from tests.reports.sample import sample

CODE = "from audit.cli.app import end_in_order, main; main()"


def audit(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", CODE, *words], cwd=cwd, capture_output=True, env=os.environ | environment, timeout=300
    )


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "ascii"])
def test_a_table_is_shown_whatever_the_terminal_has_letters_for(tmp_path, encoding):
    (tmp_path / "results.json").write_text(archive.dump(sample()), encoding="utf-8")
    done = audit("gate", "results.json", cwd=tmp_path, PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    assert done.returncode == 1, done.stderr
    assert b"Traceback" not in done.stderr
    assert len(done.stdout) > 300


def test_the_working_folder_is_gone(tmp_path):
    script = f"import os; os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone'); {CODE}"
    done = subprocess.run(
        [sys.executable, "-c", script, "probes"], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "the working folder no longer exists" in done.stderr


RECIPE = """
[data]
kind = "npz"
path = "d.npz"
[split]
members = 30
held_out = 30
[source]
model = "nets:net"
[train]
epochs = 1
"""
RAISES = {
    "on import": "import json\nx = undefined_name\n",
    "as syntax": "def net(:\n    pass\n",
    "when made": "\n\ndef net(**options):\n    return {}['missing']\n",
    "when asked": "from torch import nn\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    "        self.head = nn.Linear(64, 3)\n    def forward(self, x):\n        return self.head(x.flatten(1)).nothing\n"
    "def net(**options):\n    return Net()\n",
}


@pytest.mark.parametrize("when", RAISES)
def test_code_of_the_user_that_raises_is_the_users(tmp_path, monkeypatch, capsys, when):
    images = np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "d.npz", images=images, labels=np.arange(60) % 3)
    (tmp_path / "nets.py").write_text(RAISES[when])
    (tmp_path / "r.toml").write_text(RECIPE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["audit", "finetune", "r.toml", "--quiet"])
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended:
        main()
    signal.signal(signal.SIGTERM, before)
    said = capsys.readouterr().err
    assert (ended.value.code, said.count("\n")) == (2, 1), said
    assert "nets.py:" in said
    assert "defect" not in said


@pytest.mark.parametrize("folder", ["/proc/report", "/sys/report", "/dev/null"])
def test_what_cannot_be_written_is_said_before_the_work(folder):
    with pytest.raises(AuditError):
        validate.must_be_writable(Path(folder))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("report results.json -o .", ".: cannot be written: it is a folder."),
        ("report results.json -o /", "/: cannot be written: it is a folder."),
        ("report results.json -o results.json", "results.json: is the results of an audit. Give another --out."),
        ("history . --format csv -o results.json", "results.json: is the results of an audit. Give another --out."),
        ("cache --store results.json", "results.json: is not a folder."),
        ("canaries d.json --out m.jsonl --secret d.json", "d.json: would be written over. Give another --secret."),
    ],
)
def test_what_is_there_is_not_written_over(tmp_path, line, says):
    content = archive.dump(sample())
    (tmp_path / "results.json").write_text(content, encoding="utf-8")
    (tmp_path / "d.json").write_text("[]", encoding="utf-8")
    assert says in command.refused(command.audit(*line.split(), cwd=tmp_path))
    assert (tmp_path / "results.json").read_text(encoding="utf-8") == content


def test_a_checkpoint_is_a_new_file(tmp_path):
    (tmp_path / "there.pt").write_text("x")
    for path, error in (
        (tmp_path, InputError),
        (tmp_path / "there.pt", OverwriteError),
        (Path("/proc/m.pt"), StoreError),
    ):
        with pytest.raises(error):
            validate.must_be_a_new_file(path)
    validate.must_be_a_new_file(tmp_path / "new" / "ckpt.pt")
    assert not (tmp_path / "new").exists()


def test_what_is_written_is_its_owners_alone(tmp_path):
    write(tmp_path / "a" / "b" / "results.json", "{}")
    for path in (tmp_path / "a", tmp_path / "a" / "b"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "a" / "b" / "results.json").stat().st_mode) == 0o600


HOSTILE = "a\x1b[2Jb\u202ec\x00d\n::error::e\u2028f"


def test_a_strangers_words_steer_no_terminal():
    for said in (one_line(HOSTILE), str(AuditError(HOSTILE, where=HOSTILE, do=HOSTILE))):
        assert said.isprintable()
        assert not said.startswith("::")


@pytest.mark.parametrize("text", ['=HYPERLINK("http://x")', "+1", "-cmd", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_is_a_formula(text):
    assert str(cell(text)).startswith("'")
    assert cell("plain") == "plain"
    assert cell(-0.5) == -0.5


def test_junit_is_well_formed_whatever_classes_are_called():
    from xml.etree import ElementTree as ET

    ET.fromstring(junit.render(sample(label=HOSTILE, failed=True)))


@pytest.mark.parametrize("kind", ["csv", "html", "junit", "markdown", "model-card", "sarif"])
def test_names_that_are_no_utf8_are_in_every_format(kind):
    strange = os.fsdecode(b"m\xff")
    report = dataclasses.replace(sample(label=strange), model={"file": f"{strange}.pt"})
    for content in FORMATS.all()[kind].render(report, PLAIN).values():
        content.decode()
    again = archive.load(archive.dump(report))
    assert again.model == {"file": f"{strange}.pt"}


def test_files_and_folders_that_are_no_utf8_are_read(tmp_path):
    place = tmp_path / os.fsdecode(b"at \xff")
    for number in range(24):
        image = place / os.fsdecode((b"a\xff", b"b")[number % 2]) / os.fsdecode(b"\xfe%d.png" % number)
        image.parent.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((4, 4), 90).save(image)
    data = load(tmp_path, kind="folder", path=place.name, ids="path")
    assert data.classes == ("a\\udcff", "b")
    assert data.fingerprint
    assert data.ids[0] == "a\\udcff/\\udcfe0.png"
    (place / "code.py").write_text("def made(): return 5", encoding="utf-8")
    assert load_factory("code:made", place, trust_code=True, where="r.toml")() == 5


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_termination_ends_as_an_interruption_does(tmp_path, name):
    if not hasattr(signal, name):
        pytest.skip("no such signal here")
    # Many short waits: a signal that arrives just before a wait is handled only when the wait ends.
    work = "def work():\n    print('at work', flush=True)\n    while True: time.sleep(0.01)"
    # nohup starts its command with the signal ignored, and audit leaves it so.
    heard = f"import signal; signal.signal(signal.{name}, signal.SIG_DFL)"
    script = f"{heard}\nimport audit.cli.app as a, time\n{work}\na.app = work\n{CODE}"
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "at work\n"
            child.send_signal(getattr(signal, name))
            _, said = child.communicate(timeout=60)
        finally:
            child.kill()
    assert (child.returncode, said) == (130, "audit: interrupted; what was finished is kept.\n")


def test_under_nohup_a_hangup_stays_ignored():
    before = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGHUP)}
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    end_in_order()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    for one, handler in before.items():
        signal.signal(one, handler)


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")])
def test_too_little_memory_is_not_reported_as_a_defect(monkeypatch, capsys, error):
    def runs_out() -> None:
        raise error

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr("audit.cli.app.app", runs_out)
    with pytest.raises(SystemExit) as ended:
        main()
    signal.signal(signal.SIGTERM, before)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("audit: there is not enough memory.")
