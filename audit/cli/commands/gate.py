"""`audit gate`."""

from __future__ import annotations

import typer

from audit.cli import options as o
from audit.cli import validate


def gate(
    results: o.Results,
    baseline: o.Baseline = None,
    config: o.ConfigFile = None,
    changes: o.Changes = None,
    also: o.Also = "",
    out: o.BesideResults = None,
    at: o.AlertsAt = "audit.toml",
    lang: o.Language = "en",
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    """Judge results against thresholds; the exit code is the verdict.

    [dim]$[/dim] audit gate report/results.json -c audit.toml
    [dim]$[/dim] audit gate report/results.json --also junit,sarif
    """
    validate.must_exist(results, "file")
    validate.must_exist(baseline, "results.json")
    configuration = validate.configuration(config, changes)
    from audit.results.export import Also as Further
    from audit.results.gate import run_gate

    further = Further.of(also, out or results.parent, lang=lang, at=at)
    judged = run_gate(
        results,
        configuration,
        baseline=baseline,
        as_json=json,
        lang=lang,
        quiet=quiet,
        per_sample=further.per_sample,
    )
    further.write(judged)
    raise typer.Exit(judged.verdict.exit_code)
