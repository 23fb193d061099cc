"""`audit report` in every form, through the real command, on crafted results."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from audit.cli.app import app
from audit.results.export import run_report
from probes.errors import AuditError, InputError, OverwriteError, StoreError
from reports import archive, per_sample
from reports.formats.base import Style
from reports.formats.registry import FORMATS
from tests.reports.sample import sample


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as `audit run` leaves it."""
    for variable in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"):
        monkeypatch.delenv(variable, raising=False)
    (tmp_path / "results.json").write_text(archive.dump(sample()), encoding="utf-8")
    (tmp_path / "samples.csv").write_text(per_sample.to_csv(sample()), encoding="utf-8")
    (tmp_path / "run.json").write_text('{"seconds": 61.5}', encoding="utf-8")
    return tmp_path / "results.json"


OF_ONE_FILE = [form for form in FORMATS.names() if form not in ("github", "evidence")]


def audit(*arguments: str | Path) -> str:
    """What it printed; expected errors come through."""
    done = CliRunner().invoke(app, [str(one) for one in arguments])
    if isinstance(done.exception, AuditError):
        raise done.exception
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


@pytest.mark.parametrize("form", OF_ONE_FILE)
def test_every_format_is_written_beside_the_results(results: Path, form: str) -> None:
    said = audit("report", results, "--format", form)
    assert Path(said.strip()) == results.with_name(FORMATS.load(form).file)
    assert results.with_name(FORMATS.load(form).file).stat().st_size > 30


@pytest.mark.parametrize("form", OF_ONE_FILE)
def test_every_form_goes_to_standard_output(
    results: Path, form: str, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Byte for byte what the file would hold, and no file called `-`."""
    monkeypatch.chdir(results.parent)
    audit("report", results, "--format", form, "-o", "file")
    capfdbinary.readouterr()
    run_report(results, form, Path("-"), Style())
    printed = capfdbinary.readouterr()
    assert printed.out == Path("file").read_bytes()
    assert (b"figures are left out" in printed.err) == (form == "markdown")
    assert not Path("-").exists()


def test_a_form_of_many_files_fills_an_empty_folder_and_says_what_to_do_with_it(results: Path) -> None:
    said = audit("report", results, "--format", "evidence")
    folder = results.with_name("evidence")
    assert said.strip() == f"{folder}: sign it with `audit sign {folder}`."
    assert (folder / "results.json").read_bytes() == results.read_bytes()
    with pytest.raises(OverwriteError, match="is not empty"):
        audit("report", results, "--format", "evidence")
    with pytest.raises(InputError, match="fills a folder"):
        audit("report", results, "--format", "evidence", "-o", "-")


def test_an_unknown_format_is_met_with_the_nearest(results: Path) -> None:
    with pytest.raises(InputError, match=r"--format: no report format 'jnit'\. Did you mean 'junit'"):
        audit("report", results, "--format", "jnit")


def test_github_form_speaks_to_the_runner(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"):
        monkeypatch.setenv(variable, str(results.with_name(variable)))
    results.with_name("GITHUB_OUTPUT").write_text("before=1\n")
    said = audit("report", results, "--format", "github", "--at", "recipe.toml")
    assert said.splitlines()[0].startswith("::error file=recipe.toml,line=1,title=")
    assert results.with_name("GITHUB_STEP_SUMMARY").read_text(encoding="utf-8").startswith("# ❌ Fail")
    assert results.with_name("GITHUB_OUTPUT").read_text() == "before=1\nverdict=fail\nexit_code=1\n"
    monkeypatch.setenv("GITHUB_OUTPUT", str(results / "nowhere"))
    with pytest.raises(StoreError, match="GITHUB_OUTPUT"):
        audit("report", results, "--format", "github")


def test_png_figures_are_written_beside_the_text(results: Path) -> None:
    audit("report", results, "--format", "markdown", "--figures", "png", "--out", results.parent / "mail" / "a.md")
    assert len(list((results.parent / "mail" / "figures").glob("*.png"))) == 3
    assert "figures/" in (results.parent / "mail" / "a.md").read_text(encoding="utf-8")


def test_per_sample_numbers_are_read_from_the_table_beside_the_results(results: Path) -> None:
    audit("report", results, "--format", "parquet")
    column = pq.read_table(results.with_name("samples.parquet"))["overfitting.memorisation"].to_pylist()
    assert column[0] == 0.5
    assert column[2] == 1.0
    results.with_name("samples.csv").unlink()
    with pytest.raises(InputError, match=r"samples\.csv"):
        audit("report", results, "--format", "parquet")


def test_a_rewritten_report_contains_the_cost(results: Path) -> None:
    audit("report", results)
    assert "61.5" in results.with_name("report.html").read_text(encoding="utf-8")
    results.with_name("run.json").write_text("{")
    with pytest.raises(InputError, match=r"run\.json"):
        audit("report", results)


def test_gitlab_and_sarif_point_to_the_given_file(results: Path) -> None:
    audit("report", results, "--format", "gitlab", "--at", "models/audit.toml")
    entries = json.loads(results.with_name("gl-code-quality-report.json").read_text(encoding="utf-8"))
    assert {entry["location"]["path"] for entry in entries} == {"models/audit.toml"}
