"""The command `audit`. Nothing heavy is imported before a command is known to be well formed."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import Annotated, Literal

import typer

from probes.errors import AuditError, ConfigError, InputError, Interrupted

EXIT_CRASH = 70
EPILOG = "Exit codes: 0 pass · 1 fail · 2 wrong use or bad input · 3 undecided · 4 a probe failed."

app = typer.Typer(
    help="Is this fine-tuned model safe to ship?\n\nFine-tunes models, probes them for overfitting, leakage and "
    "interpretability drift, writes reports, and gates CI on thresholds.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

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
AlertsAt = Annotated[str, typer.Option("--at", help="The repository's file that alerts point to (SARIF, CI).")]
Also = Annotated[
    str, typer.Option("--also", help="Further formats beside the report: junit,sarif,github,gitlab,model-card,parquet.")
]
Budget = Annotated[
    str | None,
    typer.Option(help="Time for training replicas (90s, 10m, 1h30m): fewer rounds where all would take longer."),
]
Language = Annotated[Literal["en", "zh"], typer.Option("--lang", help="Language of the report.")]


def default_store() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "transfer-audit"


def _must_exist(path: Path | None, what: str) -> None:
    """Said before anything heavy is imported: a wrong path is answered at once."""
    if path is not None and not path.exists():
        raise InputError(f"no such {what}.", where=str(path), do="Check the path.")


@app.command(epilog=EPILOG)
def demo(
    out: Out = Path("audit-demo"),
    workers: Workers = 0,
    store: StoreFolder = None,
    quiet: Quiet = False,
) -> None:
    """Fine-tune a small model on embedded data, audit it, and write the report: a minute's tour."""
    from audit.commands import run_demo

    raise typer.Exit(run_demo(out, store or default_store(), workers, quiet))


@app.command()
def finetune(
    recipe: Annotated[Path, typer.Argument(help="The recipe, a TOML file.", metavar="RECIPE.toml")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The checkpoint to write.")] = Path("ckpt.pt"),
    quiet: Quiet = False,
) -> None:
    """Fine-tune a model from a recipe, recording all that an auditor needs."""
    _must_exist(recipe, "recipe file")
    from audit.commands import run_finetune

    run_finetune(recipe, out, quiet)


@app.command(epilog=EPILOG)
def run(
    model: Model,
    out: Out = Path("audit-report"),
    config: ConfigFile = None,
    seed: Seed = None,
    workers: Workers = 0,
    store: StoreFolder = None,
    budget: Budget = None,
    stop_early: Annotated[
        bool, typer.Option("--stop-early", help="Look after 2, 4, 8 … rounds; stop where every check is decided.")
    ] = False,
    executor: Annotated[Literal["processes", "ray"], typer.Option(help="Where replicas are trained.")] = "processes",
    address: Annotated[str | None, typer.Option(help="A running Ray cluster; without it one is started here.")] = None,
    reference: Annotated[
        Path | None, typer.Option(help="A checkpoint to compare reasons with (the last release).")
    ] = None,
    recipe: Annotated[Path | None, typer.Option(help="For weights from elsewhere: the recipe that made them.")] = None,
    data_root: Annotated[Path | None, typer.Option(help="Where the data lies now, if it has moved.")] = None,
    lang: Language = "en",
    thumbnails: Annotated[bool, typer.Option(help="Show samples as pictures in the report.")] = True,
    trust_code: TrustCode = False,
    quiet: Quiet = False,
) -> None:
    """Audit a checkpoint: replicas, probes, report.html, report.md, results.json, exit code."""
    for path, what in ((model, "checkpoint file"), (config, "configuration file"), (reference, "checkpoint file")):
        _must_exist(path, what)
    if address is not None and executor != "ray":
        raise ConfigError("is for --executor ray.", where="--address", do="Add it, or leave --address out.")
    from audit.duration import seconds_of

    seconds = None if budget is None else seconds_of(budget, "--budget")
    from audit.commands import run_audit
    from audit.settings import Settings

    settings = Settings(
        store=store or default_store(),
        seed=seed,
        workers=workers,
        budget=seconds,
        stop_early=stop_early,
        executor=executor,
        address=address,
        reference=reference,
        recipe=recipe,
        data_root=data_root,
        trust_code=trust_code,
    )
    raise typer.Exit(run_audit(model, out, config, settings, lang=lang, thumbnails=thumbnails, quiet=quiet))


@app.command(epilog=EPILOG)
def gate(
    results: Annotated[Path, typer.Argument(help="A results.json.", show_default=False)],
    config: ConfigFile = None,
    quiet: Quiet = False,
) -> None:
    """Judge existing results by thresholds; the exit code is the verdict."""
    _must_exist(results, "file")
    _must_exist(config, "configuration file")
    from audit.review import run_gate

    raise typer.Exit(run_gate(results, config, quiet))


@app.command()
def report(
    results: Annotated[Path, typer.Argument(help="A results.json.", show_default=False)],
    format: Annotated[
        Literal["html", "markdown", "summary", "junit", "sarif", "github", "gitlab", "model-card", "csv", "parquet"],
        typer.Option("--format", "-f", help="csv and parquet hold a row a sample: as sensitive as the data."),
    ] = "html",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Default: beside the results.")] = None,
    lang: Language = "en",
    thumbnails: Annotated[bool, typer.Option(help="Show samples as pictures.")] = True,
    figures: Annotated[Literal["svg", "png"], typer.Option(help="The figures beside a Markdown report.")] = "svg",
    at: AlertsAt = "audit.toml",
) -> None:
    """Write a report of existing results again, in another format or language."""
    _must_exist(results, "file")
    from audit.publish import Style, run_report

    run_report(results, format, out, Style(lang=lang, thumbnails=thumbnails, at=at, figures=figures))


@app.command()
def log(
    results: Annotated[Path, typer.Argument(help="A results.json.", show_default=False)],
    to: Annotated[
        Literal["mlflow", "wandb"],
        typer.Option(help="The tracker; its own settings say where it is.", show_default=False),
    ],
    project: Annotated[str, typer.Option(help="MLflow's experiment, or the project in W&B.")] = "transfer-audit",
) -> None:
    """Log results to MLflow or Weights & Biases.

    Estimates with their intervals become metrics, the recipe and the probes'
    parameters become parameters; results.json and the report go along.
    samples.csv stays here: it says how exposed each record is.

    [dim]$[/dim] audit log report/results.json --to mlflow
    """
    _must_exist(results, "file")
    from audit.track import run_log

    run_log(results, to, project)


@app.command()
def plan(
    model: Model,
    config: ConfigFile = None,
    seed: Seed = None,
    workers: Workers = 0,
    budget: Budget = None,
    trust_code: TrustCode = False,
) -> None:
    """Say what an audit would cost, and what it could detect, before a replica is trained."""
    for path, what in ((model, "checkpoint file"), (config, "configuration file")):
        _must_exist(path, what)
    from audit.duration import seconds_of

    seconds = None if budget is None else seconds_of(budget, "--budget")
    from audit.commands import run_plan
    from audit.settings import Settings

    settings = Settings(store=default_store(), seed=seed, workers=workers, budget=seconds, trust_code=trust_code)
    run_plan(model, config, settings)


@app.command()
def cache(
    store: StoreFolder = None,
    keep: Annotated[
        int | None, typer.Option(help="Remove the oldest entries until this many MiB remain.", min=0)
    ] = None,
) -> None:
    """Show the store of replicas, or prune it."""
    from audit.commands import run_cache

    run_cache(store or default_store(), keep)


@app.command()
def inspect(
    model: Annotated[Path, typer.Argument(help="A checkpoint, or weights from elsewhere.", show_default=False)],
) -> None:
    """Print and verify what is in a checkpoint; nothing in it is run."""
    _must_exist(model, "checkpoint file")
    from audit.commands import run_inspect

    raise typer.Exit(run_inspect(model))


@app.command()
def init(
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write.")] = Path("audit.toml"),
) -> None:
    """Write a commented audit.toml: thresholds, waivers, and the probes' parameters."""
    from audit.review import init_config

    init_config(out)


@app.command()
def probes() -> None:
    """List the installed probes: what they ask, what they need, and their parameters."""
    from audit.review import list_probes

    list_probes()


def main() -> None:
    """Expected errors are one line and their exit code; a crash is a traceback and exit code 70, never a verdict."""
    try:
        app()
    except AuditError as error:
        print(f"audit: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("audit: interrupted; what was done is kept.", file=sys.stderr)
        sys.exit(Interrupted.exit_code)
    except Exception:
        traceback.print_exc()
        print("audit: this is a defect of transfer-audit, not of your input.", file=sys.stderr)
        sys.exit(EXIT_CRASH)
