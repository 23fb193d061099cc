"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Model = Annotated[Path, typer.Option("--model", "-m", help="The checkpoint to audit.", show_default=False)]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", "-c", help="Thresholds and probe parameters (audit.toml, pyproject.toml).")
]
Out = Annotated[Path, typer.Option("--out", "-o", help="Where the report goes.")]
Seed = Annotated[int | None, typer.Option(help="Root seed of the audit (default: the checkpoint's).", min=0)]
Workers = Annotated[int, typer.Option(help="Processes; 0 takes every core. Never changes a number.", min=0)]
StoreFolder = Annotated[Path | None, typer.Option("--store", help="Where replicas are kept between runs.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only errors, and the exit code.")]
TrustCode = Annotated[bool, typer.Option("--trust-code", help="Run the Python factory that the checkpoint names.")]
Budget = Annotated[
    str | None,
    typer.Option(help="Time for training a model's replicas (90s, 10m, 1h30m): fewer rounds where all take longer."),
]
Recipe = Annotated[Path | None, typer.Option(help="For weights from elsewhere: the recipe that made them.")]
DataRoot = Annotated[Path | None, typer.Option(help="Where the data lies now, if it has moved.")]
Thumbnails = Annotated[bool, typer.Option("--thumbnails/--no-thumbnails", help="Show samples as pictures.")]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Replace one value of the file, as TOML has it; may be repeated."),
]
Json = Annotated[bool, typer.Option("--json", help="The verdict as JSON on standard output, and nothing else there.")]
Baseline = Annotated[
    Path | None, typer.Option(help="An earlier results.json: what got worse since, and 'no worse than' thresholds.")
]
AlertsAt = Annotated[str, typer.Option("--at", help="The repository's file that alerts point to (SARIF, CI).")]
Also = Annotated[
    str, typer.Option("--also", help="Further formats beside the report: junit,sarif,github,gitlab,model-card,parquet.")
]
Language = Annotated[Literal["en", "zh"], typer.Option("--lang", help="Language of the report.")]
