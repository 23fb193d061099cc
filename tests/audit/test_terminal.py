"""The command line beside people: pipes, NO_COLOR, --quiet, --json and completion."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from audit.cli.app import app
from reports import archive
from tests.audit.command import audit, refused
from tests.reports.sample import sample

CODE = "from audit.cli.start import main; main()"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("terminal")
    (folder / "results.json").write_text(archive.dump(sample()))
    thresholds = '[gate]\nprofile = "none"\n[thresholds.overfitting]\n"recipe.accuracy_gap" = { max = 0.1 }\n'
    (folder / "audit.toml").write_text(thresholds)
    return folder


def gate(place: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", CODE, "gate", "results.json", *options],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "200", **environment},
    )


def in_a_terminal(place: Path, **environment: str) -> str:
    """What the command writes to a terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", CODE, "gate", "results.json"],
        cwd=place,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", **environment},
    ):
        os.close(theirs)
        written = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # Linux's way to say that the other end is closed
                break
            if not part:
                break
            written += part
    os.close(ours)
    return written.decode()


def test_a_pipe_gets_no_colours_and_80_columns(place: Path) -> None:
    done = gate(place)
    assert done.returncode == 1
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_a_terminal_has_colours_unless_no_color_is_set(place: Path) -> None:
    colour = "\x1b[1;31m"
    assert colour in in_a_terminal(place, NO_COLOR="")
    plain = in_a_terminal(place, NO_COLOR="1")
    assert "Fail" in plain
    assert "31m" not in plain


def test_quiet_is_silent_and_json_is_alone(place: Path) -> None:
    assert gate(place, "--quiet").stdout == ""
    done = gate(place, "--json")
    content = json.loads(done.stdout)
    assert (content["status"], content["exit_code"], done.returncode) == ("fail", 1, 1)


def test_the_shell_completes_commands(place: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "_AUDIT_COMPLETE": "complete_bash", "COMP_WORDS": "audit mit", "COMP_CWORD": "1"},
    )
    assert "mitigate" in done.stdout


COMMANDS = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_reads_well_in_80_columns(command: str) -> None:
    shown = CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": "80", "TERM": "dumb"})
    assert shown.exit_code == 0
    lines = [line.rstrip() for line in shown.output.splitlines()]
    assert max(map(len, lines)) <= 80
    assert "<bool>" not in shown.output
    assert "range" not in shown.output
    options = [line for line in lines if "--" in line and line.startswith("│")]
    told = [re.split(r"\s{2,}", line.strip("│* "))[-1] for line in options]
    assert all(len(text) > 3 for text in told), options


def test_a_number_below_zero_is_refused_in_words() -> None:
    refused = CliRunner().invoke(app, ["cache", "--keep", "-1"], env={"COLUMNS": "80"})
    assert refused.exit_code == 2
    assert "-1 is less than 0" in refused.output


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="this system has no /dev/full")
def test_output_that_cannot_be_written_is_one_line(place: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", CODE, "gate", "results.json", "--json"],
            cwd=place, stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (2, "audit: the output: no space left on device.\n")


def test_a_path_that_is_too_long_is_one_line(place: Path) -> None:
    assert "no such file" in refused(audit("gate", "a" * 300, cwd=place))


def test_a_device_or_a_pipe_is_not_replaced_by_a_file(place: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    said = refused(audit("report", "results.json", "-f", "junit", "-o", tmp_path / "pipe", cwd=place))
    assert said.endswith("cannot be written: it is a device or a pipe, not a file. Choose another --out.")
    assert (tmp_path / "pipe").is_fifo()
    assert audit("report", "results.json", "-f", "junit", "-o", os.devnull, cwd=place).returncode == 0
    assert Path(os.devnull).is_char_device()
