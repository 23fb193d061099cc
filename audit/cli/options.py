"""The options of all commands, in three groups: what is audited, how, and what is written."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from audit.storage.folders import checkpoint_in, results_in
from audit.storage.hub_cache import base_in

audited = partial(typer.Option, rich_help_panel="What is audited")
how = partial(typer.Option, rich_help_panel="How")
written = partial(typer.Option, rich_help_panel="What is written")


def at_least_zero(value: int | None) -> int | None:
    """A check in words; a type would write [x>=0] into a narrow column of the help."""
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
        help="The model: a checkpoint, weights, or a folder written by a library.",
        show_default=False,
        callback=checkpoint_in,
    ),
]
Recipe = Annotated[
    Path | None,
    audited(metavar="PATH", help="For a model from elsewhere: its recipe, or what its folder does not say."),
]
ModelOrTrainer = Annotated[
    Path | None,
    audited(
        "--model",
        "-m",
        metavar="PATH",
        help="The model: a checkpoint, weights, or a folder written by a library.",
        show_default=False,
    ),
]
DataFile = Annotated[
    Path | None,
    audited("--data", metavar="PATH", help="For a language model's folder: its instructions, .json, .jsonl, .parquet."),
]
Members = Annotated[
    Path | None, audited(metavar="PATH", help="Which rows of --data trained it: row numbers from 0, one per line.")
]
Canaries = Annotated[
    Path | None,
    audited(metavar="PATH", help="For a language model: the secret list of the canaries in its training data."),
]
Trainer = Annotated[
    str | None,
    audited(metavar="FILE:FUNCTION", help="Your training code: train.py:train, with data() in the same file."),
]
PredictionsFile = Annotated[
    Path | None,
    audited(
        "--predictions",
        metavar="PATH",
        help="Instead of a model, its predictions, labels and members: .npz, .csv, .parquet.",
    ),
]
Base = Annotated[
    Path | None,
    audited(
        metavar="PATH",
        help="For a model in a folder: the model that its training started from; a folder, or a Hub name in the cache.",
        callback=base_in,
    ),
]
Weights = Annotated[
    str | None, audited(metavar="KEY", help="For a file with several sets of weights (raw and EMA): which to audit.")
]
DataRoot = Annotated[
    Path | None, audited(metavar="PATH", help="Where the data is now, if it has moved: a folder or the file.")
]
TrustCode = Annotated[bool, audited("--trust-code", help="Run the Python code that the checkpoint refers to.")]
Reference = Annotated[
    Path | None,
    audited(
        metavar="PATH", help="A checkpoint to compare reasons with, such as the last release.", callback=checkpoint_in
    ),
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
    audited(metavar="PATH", help="A folder of earlier audits; the last release in it is the baseline."),
]

Variants = Annotated[
    list[Path] | None,
    audited(
        "--variant",
        metavar="PATH",
        help="A variant released with it: a checkpoint, weights, or outputs as .npz; may be repeated.",
    ),
]

Tried = Annotated[
    Path | None,
    audited(
        metavar="FILE.npz",
        help="Held-out answers of all models that were tried before this one was chosen: \\[models, samples].",
    ),
]

VariantsNow = Annotated[
    list[Path] | None,
    audited("--variant", metavar="PATH", help="The current path of the variant with this file name; may be repeated."),
]

ConfigFile = Annotated[
    Path | None,
    how(
        "--config",
        "-c",
        metavar="PATH",
        help="Thresholds and probe parameters; default: audit.toml or pyproject.toml here. "
        "PATH@sha256:HEX accepts only a file with that digest.",
    ),
]
Changes = Annotated[
    list[str] | None,
    how("--set", metavar="KEY=VALUE", help="Replace one value of the file, in TOML syntax; may be repeated."),
]
Seed = Annotated[
    int | None, how(metavar="N", help="Root seed of the audit; default: the checkpoint's.", callback=at_least_zero)
]
Workers = Annotated[
    int,
    how(
        metavar="N",
        help="Processes; default: one per core. Never changes a number.",
        show_default=False,
        callback=at_least_zero,
    ),
]
StoreFolder = Annotated[
    str | None, how("--store", metavar="PATH|URL", help="Where replicas are kept; default: the user's cache.")
]
Share = Annotated[str, how("--shard", metavar="N/OF", help="The share to train, such as 3/64; run each share once.")]
Budget = Annotated[
    str | None,
    how(
        metavar="TIME",
        help="Time for training replicas (90s, 10m, 1h30m): fewer rounds if all would take longer.",
    ),
]
ReplicaTimeout = Annotated[
    str | None, how(metavar="TIME", help="Time limit for a replica of your --trainer; default: 2h.")
]
StopEarly = Annotated[bool, how("--stop-early", help="Look after 2, 4, 8 … rounds; stop once every check is decided.")]
Executor = Annotated[
    Literal["processes", "ray"], how(metavar="NAME", help="What trains the replicas: processes or ray.")
]
Address = Annotated[
    str | None, how(metavar="URL", help="The address of a running Ray cluster; default: one is started here.")
]
Countermeasures = Annotated[
    list[str] | None,
    how("--try", metavar="NAME", help="NAME or NAME=STRENGTH; default: all that apply; may be repeated."),
]

Out = Annotated[Path, written("--out", "-o", metavar="PATH", help="The folder.")]
Checkpoint = Annotated[Path, written("--out", "-o", metavar="PATH", help="The checkpoint.")]
File = Annotated[Path, written("--out", "-o", metavar="PATH", help="The file.")]
BesideResults = Annotated[
    Path | None, written("--out", "-o", metavar="PATH", help="Where to write; default: beside the results.")
]
ReportFile = Annotated[
    Path | None,
    written("--out", "-o", metavar="PATH", help="The file, or - for standard output; default: beside the results."),
]
HistoryFile = Annotated[
    Path | None,
    written("--out", "-o", metavar="PATH", help="The file; default: standard output, or history.html."),
]
ReportFormat = Annotated[
    str,
    written(
        "--format",
        "-f",
        metavar="NAME",
        autocompletion=formats,
        help="html, markdown, summary, junit, sarif, github, gitlab, model-card, pdf (one page), or evidence (a folder "
        "to file and sign); csv and parquet have one row per sample, as sensitive as the data.",
    ),
]
HistoryFormat = Annotated[
    Literal["table", "html", "markdown", "csv"],
    written("--format", "-f", metavar="NAME", help="table, html, markdown or csv; a file's by its name."),
]
CompareFormat = Annotated[
    Literal["table", "markdown"], written("--format", "-f", metavar="NAME", help="table or markdown.")
]
Estimates = Annotated[
    list[str] | None,
    written(
        "--estimate", "-e", metavar="NAME", help="Only these (recipe.auc); default: what was checked; may be repeated."
    ),
]
Also = Annotated[
    str,
    written(
        "--also",
        metavar="FORMATS",
        help="Further formats, comma-separated: html, markdown, summary, junit, sarif, github, gitlab, model-card, "
        "csv or "
        "parquet.",
    ),
]
AlertsAt = Annotated[str, written("--at", metavar="PATH", help="The file in the repository that alerts point to.")]
Language = Annotated[Literal["en", "zh"], written("--lang", metavar="en|zh", help="English or Chinese.")]
FigureFormat = Annotated[
    Literal["svg", "png"],
    written("--figures", metavar="svg|png", help="Image format of the figures beside a Markdown report."),
]
NoThumbnails = Annotated[bool, written("--no-thumbnails", help="No image or text of a sample in any file.")]
Json = Annotated[bool, written("--json", help="Print only the verdict, as JSON, on standard output.")]
Quiet = Annotated[bool, written("--quiet", "-q", help="Only errors, and the exit code.")]

Tracker = Annotated[
    str,
    typer.Option(metavar="NAME", help="mlflow or wandb, configured by their own settings.", show_default=False),
]
Project = Annotated[str, typer.Option(metavar="NAME", help="The MLflow experiment or W&B project.")]
MostMiB = Annotated[
    int | None,
    typer.Option(
        metavar="MIB",
        help="Remove the least recently used entries until at most this many MiB are left.",
        callback=at_least_zero,
    ),
]
Port = Annotated[
    int, typer.Option("--port", metavar="N", help="Default: any free port.", show_default=False, callback=at_least_zero)
]
EveryEstimate = Annotated[
    bool, typer.Option("--all", help="Include every estimate that a gate can check, commented out.")
]
Register = Annotated[bool, typer.Option("--register", help="Record what the gate will use, before the run.")]
InitTrainer = Annotated[bool, typer.Option("--trainer", help="Write a commented train.py instead.")]
CheckOnly = Annotated[bool, typer.Option("--check", help="Write nothing; check the existing file.")]

TrainingData = Annotated[
    Path, typer.Argument(help="Instructions: .json, .jsonl, .parquet or a folder.", show_default=False)
]
Mixture = Annotated[Path, written("--out", "-o", metavar="PATH", help="The data with canaries, .jsonl.")]
SecretList = Annotated[Path, written("--secret", metavar="PATH", help="The list of canaries; keep it secret.")]
CanaryCount = Annotated[int, how(metavar="N", help="Canaries for each number of copies, at least 8.")]
Copies = Annotated[
    list[int] | None,
    how("--copies", metavar="N", help="Copies of each in the training data; default: 1; may be repeated."),
]
References = Annotated[int, how(metavar="N", help="Texts drawn in the same way that are not used for training.")]
CanaryWords = Annotated[int, how("--words", metavar="N", help="Words of a canary's prompt, and of its answer.")]
CanaryBase = Annotated[
    Path | None,
    how("--base", metavar="FOLDER", help="The model to be fine-tuned: canaries are drawn from it, not from the data."),
]
Temperature = Annotated[
    float, how(metavar="T", help="Temperature of what the base draws, above 0; higher is more random.")
]
CoinSeed = Annotated[
    int | None,
    how("--seed", metavar="N", help="Of the random draws; default: the machine's randomness.", callback=at_least_zero),
]

RecipeFile = Annotated[Path, typer.Argument(help="The recipe, a TOML file.", metavar="RECIPE.toml")]
given_results = partial(typer.Argument, show_default=False, callback=results_in)
Results = Annotated[Path, given_results(help="A results.json, or its folder.")]
OldResults = Annotated[Path, given_results(help="The baseline's results.json, or its folder.")]
NewResults = Annotated[Path, given_results(help="The results.json to compare with it, or its folder.")]
HistoryFolder = Annotated[
    Path, typer.Argument(help="The folder with results.json files, at any depth.", show_default=False)
]
Inspected = Annotated[
    Path,
    typer.Argument(
        help="A checkpoint or its folder, or weights from elsewhere.", show_default=False, callback=checkpoint_in
    ),
]
Pack = Annotated[Path, typer.Argument(help="The folder of an evidence pack.", show_default=False)]
PrivateKey = Annotated[
    Path | None,
    typer.Option("--key", metavar="PATH", help="Your private key; default: one in your configuration folder."),
]
PublicKey = Annotated[
    Path | None, typer.Option("--key", metavar="PATH", help="The signer's public key: no other is accepted.")
]
Sigstore = Annotated[
    bool, typer.Option("--sigstore", help="Sign with your identity instead of a key; a public log records it.")
]
TrustConfig = Annotated[
    Path | None,
    typer.Option("--trust-config", metavar="PATH", help="Services and roots of trust of your own sigstore."),
]
Identity = Annotated[
    str | None,
    typer.Option("--identity", metavar="WHO", help="The address or URL that must have signed through sigstore."),
]
Issuer = Annotated[
    str | None, typer.Option("--issuer", metavar="URL", help="The identity provider that must vouch for --identity.")
]
ModelNow = Annotated[
    Path | None, audited("--model", "-m", metavar="PATH", help="Where the checkpoint is now; default: as logged.")
]
SchemaOf = Annotated[Literal["recipe", "results"], typer.Argument(help="The schema of recipes, or of results.json.")]
Cases = Annotated[
    list[str] | None,
    how("--case", metavar="NAME", help="Only this one, e.g. patch; may be repeated.", show_default=False),
]
