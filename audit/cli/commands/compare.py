"""`audit compare`."""

from __future__ import annotations

import typer

from audit.cli import options as o
from audit.cli import validate


def compare(
    old: o.OldResults,
    new: o.NewResults,
    format: o.CompareFormat = "table",
    lang: o.Language = "en",
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    """Report what got worse between two audits, beyond noise.

    Tests are paired where both audits cover the same samples (the samples.csv beside each results.json), and corrected
    for their number (Holm): two equally good models are called different in anything with at most 5 % probability.

    [dim]$[/dim] audit compare last-release/ report/
    """
    validate.must_exist(old, "results.json")
    validate.must_exist(new, "results.json")
    from audit.results.compare import run_compare

    raise typer.Exit(run_compare(old, new, form=format, as_json=json, lang=lang, quiet=quiet))
