"""The options of all commands, in three groups: what is audited, how, and what is written."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from audit.storage.folders import checkpoint_in, results_in

audited = partial(typer.Option, rich_help_panel="What is audited")
how = partial(typer.Option, rich_help_panel="How")
written = partial(typer.Option, rich_help_panel="What is written")


def at_least_zero(value: int | None) -> int | None:
    """In words, where a type would write [x>=0] into a narrow column of the help."""
    if value is not None and value < 0:
        raise typer.BadParameter(f"{value} is less than 0.")
    return value


def formats(incomplete: str) -> list[str]:
    """For the shell's completion."""
    from reports.formats.registry import FORMATS

    return [name for name in FORMATS.names() if name.startswith(incomplete)]


def show_version(asked: bool) -> bool:
    if asked:
        from importlib.metadata import version

        typer.echo(f"transfer-audit {version('transfer-audit')}")
        raise typer.Exit
    return asked


Version = Annotated[bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version.")]

Model = Annotated[
    Path,
    audited(
        "--model",
        "-m",
        metavar="PATH",
        help="The checkpoint, or its folder.",
        show_default=False,
        callback=checkpoint_in,
    ),
]
Recipe = Annotated[Path | None, audited(metavar="PATH", help="For weights from elsewhere: the recipe that made them.")]
ModelOrTrainer = Annotated[
    Path | None,
    audited("--model", "-m", metavar="PATH", help="The checkpoint, file or folder.", show_default=False),
]
DataFile = Annotated[
    Path | None,
    audited("--data", metavar="PATH", help="For a language model's folder: its instructions, .json, .jsonl, .parquet."),
]
Members = Annotated[
    Path | None, audited(metavar="PATH", help="Which rows of --data trained it: row numbers from 0, one a line.")
]
Canaries = Annotated[
    Path | None,
    audited(metavar="PATH", help="For a language model: the secret list of the canaries that its training held."),
]
Trainer = Annotated[
    str | None,
    audited(metavar="FILE:FUNCTION", help="Your training: train.py:train, with data() in the same file."),
]
PredictionsFile = Annotated[
    Path | None,
    audited(
        "--predictions",
        metavar="PATH",
        help="Instead of a model its predictions, labels and members: .npz, .csv, .parquet.",
    ),
]
Base = Annotated[Path | None, audited(metavar="PATH", help="For a model in a folder: what its training started from.")]
Weights = Annotated[
    str | None, audited(metavar="KEY", help="For a file that holds several weights (an EMA beside the raw): which.")
]
DataRoot = Annotated[Path | None, audited(metavar="PATH", help="Where the data lies now, if it has moved.")]
TrustCode = Annotated[bool, audited("--trust-code", help="Run the Python factory that the checkpoint names.")]
Reference = Annotated[
    Path | None,
    audited(metavar="PATH", help="A checkpoint to compare reasons with: the last release.", callback=checkpoint_in),
]
Baseline = Annotated[
    Path | None,
    audited(
        metavar="PATH",
        help="An earlier results.json: what got worse since, and 'no worse than' thresholds.",
        callback=results_in,
    ),
]

History = Annotated[
    Path | None,
    audited(metavar="PATH", help="A folder of earlier audits: the last release in it is the baseline."),
]

Variants = Annotated[
    list[Path] | None,
    audited(
        "--variant",
        metavar="PATH",
        help="A variant released with it: a checkpoint, weights, or outputs as .npz; may be repeated.",
    ),
]

VariantsNow = Annotated[
    list[Path] | None,
    audited("--variant", metavar="PATH", help="Where the variant of this file's name lies now; may be repeated."),
]

ConfigFile = Annotated[
    Path | None,
    how(
        "--config",
        "-c",
        metavar="PATH",
        help="Thresholds and probe parameters, else those of audit.toml or pyproject.toml here. "
        "PATH@sha256:HEX takes the file with that digest and no other.",
    ),
]
Changes = Annotated[
    list[str] | None,
    how("--set", metavar="KEY=VALUE", help="Replace one value of the file, as TOML has it; may be repeated."),
]
Seed = Annotated[
    int | None, how(metavar="N", help="Root seed of the audit, else the checkpoint's.", callback=at_least_zero)
]
Workers = Annotated[
    int,
    how(
        metavar="N",
        help="Processes, else one a core. Never changes a number.",
        show_default=False,
        callback=at_least_zero,
    ),
]
StoreFolder = Annotated[
    str | None, how("--store", metavar="PATH|URL", help="Where replicas are kept, else in the user's cache.")
]
Share = Annotated[str, how("--shard", metavar="N/OF", help="The share to train, such as 3/64: every share once.")]
Budget = Annotated[
    str | None,
    how(
        metavar="TIME",
        help="For training a model's replicas (90s, 10m, 1h30m): fewer rounds where all would take longer.",
    ),
]
ReplicaTimeout = Annotated[
    str | None, how(metavar="TIME", help="A replica of your --trainer that takes longer is hanging; else 2h.")
]
StopEarly = Annotated[bool, how("--stop-early", help="Look after 2, 4, 8 … rounds; stop where every check is decided.")]
Executor = Annotated[Literal["processes", "ray"], how(metavar="NAME", help="What trains replicas: processes or ray.")]
Address = Annotated[str | None, how(metavar="URL", help="A running Ray cluster; without it one is started here.")]
Countermeasures = Annotated[
    list[str] | None,
    how("--try", metavar="NAME", help="NAME or NAME=STRENGTH, else all that apply; may be repeated."),
]

Out = Annotated[Path, written("--out", "-o", metavar="PATH", help="The folder.")]
Checkpoint = Annotated[Path, written("--out", "-o", metavar="PATH", help="The checkpoint.")]
File = Annotated[Path, written("--out", "-o", metavar="PATH", help="The file.")]
BesideResults = Annotated[
    Path | None, written("--out", "-o", metavar="PATH", help="Where to, else beside the results.")
]
ReportFile = Annotated[
    Path | None,
    written("--out", "-o", metavar="PATH", help="The file, - for standard output, else beside the results."),
]
HistoryFile = Annotated[
    Path | None,
    written("--out", "-o", metavar="PATH", help="The file, else standard output, or history.html."),
]
ReportFormat = Annotated[
    str,
    written(
        "--format",
        "-f",
        metavar="NAME",
        autocompletion=formats,
        help="html, markdown, summary, junit, sarif, github, gitlab, model-card, pdf (one page), or evidence (a folder "
        "to file and sign); csv or parquet hold a row a sample, as sensitive as the data.",
    ),
]
HistoryFormat = Annotated[
    Literal["table", "html", "markdown", "csv"],
    written("--format", "-f", metavar="NAME", help="table, html, markdown or csv."),
]
CompareFormat = Annotated[
    Literal["table", "markdown"], written("--format", "-f", metavar="NAME", help="table or markdown.")
]
Estimates = Annotated[
    list[str] | None,
    written(
        "--estimate", "-e", metavar="NAME", help="Only these (recipe.auc), else what was checked; may be repeated."
    ),
]
Also = Annotated[
    str,
    written(
        "--also",
        metavar="FORMATS",
        help="Further formats, by comma: html, markdown, summary, junit, sarif, github, gitlab, model-card, csv or "
        "parquet.",
    ),
]
AlertsAt = Annotated[str, written("--at", metavar="PATH", help="The repository's file that alerts point to.")]
Language = Annotated[Literal["en", "zh"], written("--lang", metavar="en|zh", help="English or Chinese.")]
FigureFormat = Annotated[
    Literal["svg", "png"], written("--figures", metavar="svg|png", help="The figures beside a Markdown report.")
]
NoThumbnails = Annotated[bool, written("--no-thumbnails", help="No picture or text of a sample in any file.")]
Json = Annotated[bool, written("--json", help="The verdict as JSON on standard output, alone.")]
Quiet = Annotated[bool, written("--quiet", "-q", help="Only errors, and the exit code.")]

Tracker = Annotated[
    str,
    typer.Option(metavar="NAME", help="mlflow or wandb; its own settings say where it is.", show_default=False),
]
Project = Annotated[str, typer.Option(metavar="NAME", help="MLflow's experiment, or the project in W&B.")]
MostMiB = Annotated[
    int | None,
    typer.Option(metavar="MIB", help="Remove the oldest entries until so much is left.", callback=at_least_zero),
]
Port = Annotated[
    int, typer.Option("--port", metavar="N", help="Else any that is free.", show_default=False, callback=at_least_zero)
]
EveryEstimate = Annotated[bool, typer.Option("--all", help="With every estimate that a gate can ask, commented.")]
Register = Annotated[bool, typer.Option("--register", help="Record what the gate will use, before the run.")]
InitTrainer = Annotated[bool, typer.Option("--trainer", help="Write a commented train.py instead.")]
CheckOnly = Annotated[bool, typer.Option("--check", help="Write nothing: check the file that is there.")]

TrainingData = Annotated[
    Path, typer.Argument(help="Instructions: .json, .jsonl, .parquet or a folder.", show_default=False)
]
Mixture = Annotated[Path, written("--out", "-o", metavar="PATH", help="The data with canaries, .jsonl.")]
SecretList = Annotated[Path, written("--secret", metavar="PATH", help="The list of canaries; keep it secret.")]
CanaryCount = Annotated[int, how(metavar="N", help="Canaries for each number of copies, at least 8.")]
Copies = Annotated[
    list[int] | None,
    how("--copies", metavar="N", help="How often one stands in the training, else once; may be repeated."),
]
References = Annotated[int, how(metavar="N", help="Texts drawn alike that no training holds.")]
CanaryWords = Annotated[int, how("--words", metavar="N", help="Words of a canary's prompt, and of its answer.")]
CoinSeed = Annotated[
    int | None, how("--seed", metavar="N", help="Of the coins, else the machine's randomness.", callback=at_least_zero)
]

RecipeFile = Annotated[Path, typer.Argument(help="The recipe, a TOML file.", metavar="RECIPE.toml")]
given_results = partial(typer.Argument, show_default=False, callback=results_in)
Results = Annotated[Path, given_results(help="A results.json, or its folder.")]
OldResults = Annotated[Path, given_results(help="The baseline's results.json, or its folder.")]
NewResults = Annotated[Path, given_results(help="The results.json to compare with it, or its folder.")]
HistoryFolder = Annotated[Path, typer.Argument(help="Where results.json files lie, at any depth.", show_default=False)]
Inspected = Annotated[
    Path,
    typer.Argument(
        help="A checkpoint or its folder, or weights from elsewhere.", show_default=False, callback=checkpoint_in
    ),
]
Pack = Annotated[Path, typer.Argument(help="The folder of an evidence pack.", show_default=False)]
PrivateKey = Annotated[
    Path | None, typer.Option("--key", metavar="PATH", help="Your private key, else one in your configuration folder.")
]
PublicKey = Annotated[
    Path | None, typer.Option("--key", metavar="PATH", help="The signer's public key: then nobody else's will do.")
]
Identity = Annotated[
    str | None,
    typer.Option("--identity", metavar="WHO", help="The address or URL that must have signed through sigstore."),
]
Issuer = Annotated[
    str | None, typer.Option("--issuer", metavar="URL", help="The identity provider that must vouch for --identity.")
]
ModelNow = Annotated[
    Path | None, audited("--model", "-m", metavar="PATH", help="Where the checkpoint lies now, else as logged.")
]
SchemaOf = Annotated[Literal["recipe", "results"], typer.Argument(help="A recipe's, or that of results.json.")]
Cases = Annotated[
    list[str] | None,
    how("--case", metavar="NAME", help="Only this one, e.g. patch; may be repeated.", show_default=False),
]
