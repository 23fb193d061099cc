"""The command `audit`. Nothing heavy is imported before a command is known to be well formed."""

from __future__ import annotations

import signal
import sys
import traceback
from functools import partial
from pathlib import Path
from typing import NoReturn

import typer

from audit.cli import options as o
from audit.cli import validate
from audit.cli.help import Command, Group
from audit.cli.loading import loading
from audit.config.run_settings import default_store
from probes.errors import AuditError, ConfigError, Interrupted, one_line

EXIT_CRASH = 70
EPILOG = "Exit codes: 0 pass · 1 fail · 2 wrong use · 3 undecided · 4 a probe failed"

HELP = (
    "[bold]Is this fine-tuned model safe to ship?[/bold]\n\nTrains replicas of your model's recipe on other subsets of "
    "the same data, probes them for overfitting, leakage and interpretability drift, writes a report, and gates CI on "
    """thresholds. The exit code is the verdict.

[dim]$[/dim] audit demo                            [dim]a minute's tour[/dim]
[dim]$[/dim] audit finetune recipe.toml -o ckpt.pt [dim]make a model to audit[/dim]
[dim]$[/dim] audit run -m ckpt.pt -o report        [dim]then read report/report.html[/dim]
[dim]$[/dim] audit compare old/ report/            [dim]what got worse?[/dim]
[dim]$[/dim] audit COMMAND --help                  [dim]more of each[/dim]
[dim]$[/dim] audit --install-completion            [dim]names by the tab key[/dim]
"""
)
MAKE, AUDIT, REVIEW, HELPERS = "Make and plan", "Audit", "Results", "More"

app = typer.Typer(
    cls=Group,
    help=HELP,
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
command = partial(app.command, cls=Command)


@app.callback(help=HELP)
def before_any_command(version: o.Version = False) -> None:
    """What comes before a command's name."""


@command(epilog=EPILOG, rich_help_panel=AUDIT)
def demo(
    workers: o.Workers = 0,
    store: o.StoreFolder = None,
    out: o.Out = Path("audit-demo"),
    quiet: o.Quiet = False,
) -> None:
    """A minute's tour: fine-tune on embedded data, audit, report."""
    with loading(quiet=quiet, log=True):
        from audit.cli.commands import run_demo

    raise typer.Exit(run_demo(out, store or default_store(), workers, quiet).verdict.exit_code)


@command(rich_help_panel=MAKE)
def finetune(
    recipe: o.RecipeFile,
    changes: o.Changes = None,
    out: o.Checkpoint = Path("ckpt.pt"),
    quiet: o.Quiet = False,
) -> None:
    """Fine-tune a model from a recipe, so that it can be audited.

    The checkpoint records recipe, data fingerprint, split, source weights and
    training history. A killed run goes on where it stopped.

    [dim]$[/dim] audit finetune examples/digits.toml -o ckpt.pt
    [dim]$[/dim] audit finetune recipe.toml --set train.epochs=5 -o fewer.pt
    """
    given = validate.recipe_file(recipe, changes)
    validate.must_be_a_new_file(out)
    with loading(quiet=quiet):
        from audit.cli.commands import run_finetune

    run_finetune(given, out, quiet)


@command(epilog=EPILOG, rich_help_panel=AUDIT)
def run(
    model: o.ModelOrTrainer = None,
    trainer: o.Trainer = None,
    predictions: o.PredictionsFile = None,
    recipe: o.Recipe = None,
    data_root: o.DataRoot = None,
    trust_code: o.TrustCode = False,
    reference: o.Reference = None,
    baseline: o.Baseline = None,
    config: o.ConfigFile = None,
    changes: o.Changes = None,
    budget: o.Budget = None,
    replica_timeout: o.ReplicaTimeout = None,
    stop_early: o.StopEarly = False,
    seed: o.Seed = None,
    workers: o.Workers = 0,
    store: o.StoreFolder = None,
    executor: o.Executor = "processes",
    address: o.Address = None,
    out: o.Out = Path("audit-report"),
    lang: o.Language = "en",
    no_thumbnails: o.NoThumbnails = False,
    also: o.Also = "",
    at: o.AlertsAt = "audit.toml",
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    """Audit a checkpoint; the exit code is the verdict.

    Trains replicas (kept in the store, so a killed run goes on), runs the
    probes, and writes report.html, report.md, results.json, samples.csv and
    run.json.

    [dim]$[/dim] audit run -m ckpt.pt -o report
    [dim]$[/dim] audit run -m ckpt.pt -c audit.toml --json > verdict.json
    [dim]$[/dim] audit run -m weights.safetensors --recipe recipe.toml
    [dim]$[/dim] audit run -m ckpt.pt --trainer train.py:train
    [dim]$[/dim] audit run --predictions answers.npz
    [dim]$[/dim] audit run -m ckpt.pt --baseline last-release/results.json
    """
    validate.must_say_what(model, trainer, recipe, predictions)
    validate.must_exist(model, "checkpoint file")
    validate.must_exist(reference, "checkpoint file")
    validate.must_exist(baseline, "results.json")
    validate.must_be_writable(out)
    if address is not None and executor != "ray":
        raise ConfigError("is for --executor ray.", where="--address", do="Add it, or leave --address out.")
    seconds = validate.seconds_of(budget)
    hanging = validate.seconds_of(replica_timeout, "--replica-timeout")
    thresholds = validate.configuration(config, changes)
    validate.must_have_a_baseline(thresholds, baseline)
    made_by = validate.recipe_file(recipe) if recipe else None
    from audit.results.export import Also as Further

    further = Further.of(also, out, lang=lang, at=at)
    with loading(quiet=quiet or json):
        from audit.cli.commands import run_audit

    report = run_audit(
        model,
        out,
        thresholds,
        lang=lang,
        quiet=quiet or json,
        as_json=json,
        recipe=made_by,
        reference=reference,
        baseline=baseline,
        data_root=data_root,
        trust_code=trust_code,
        budget=seconds,
        stop_early=stop_early,
        executor=executor,
        address=address,
        trainer=trainer,
        replica_timeout=hanging,
        predictions=predictions,
        seed=seed,
        workers=workers,
        store=store,
        thumbnails=not no_thumbnails,
    )
    further.write(report)
    raise typer.Exit(report.verdict.exit_code)


@command(
    epilog="Exit codes: 0 one passes · 1 all fail · 2 wrong use · 3 undecided · 4 probe failed",
    rich_help_panel=AUDIT,
)
def mitigate(
    model: o.Model,
    recipe: o.Recipe = None,
    data_root: o.DataRoot = None,
    trust_code: o.TrustCode = False,
    countermeasures: o.Countermeasures = None,
    config: o.ConfigFile = None,
    changes: o.Changes = None,
    budget: o.Budget = None,
    seed: o.Seed = None,
    workers: o.Workers = 0,
    store: o.StoreFolder = None,
    out: o.Out = Path("audit-mitigate"),
    lang: o.Language = "en",
    no_thumbnails: o.NoThumbnails = False,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    """Which countermeasure works, and what it costs.

    Fine-tunes the model again with each countermeasure, audits every one on
    the same folds, and shows accuracy against leakage, overfitting and drift.
    Known: l1, l2, l2-sp, dropout, early-stopping, features, lp-ft, augment, dp.

    [dim]$[/dim] audit mitigate -m ckpt.pt -o remedies
    [dim]$[/dim] audit mitigate -m ckpt.pt --try l2-sp=0.1 --try dp=8 --budget 5m
    """
    validate.must_exist(model, "checkpoint file")
    validate.must_be_writable(out)
    seconds = validate.seconds_of(budget)
    thresholds = validate.configuration(config, changes)
    made_by = validate.recipe_file(recipe) if recipe else None
    from audit.mitigation.countermeasures import check

    check(countermeasures or ())
    with loading(quiet=quiet or json):
        from audit.cli.mitigate import run_mitigate

    frontier = run_mitigate(
        model,
        out,
        countermeasures or (),
        lang=lang,
        quiet=quiet or json,
        as_json=json,
        config=thresholds,
        recipe=made_by,
        data_root=data_root,
        trust_code=trust_code,
        budget=seconds,
        seed=seed,
        workers=workers,
        store=store,
        thumbnails=not no_thumbnails,
    )
    raise typer.Exit(frontier.exit_code)


@command(epilog=EPILOG, rich_help_panel=REVIEW)
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
    """Judge results by thresholds; the exit code is the verdict.

    [dim]$[/dim] audit gate report/results.json -c audit.toml
    [dim]$[/dim] audit gate report/results.json --also junit,sarif
    """
    validate.must_exist(results, "file")
    validate.must_exist(baseline, "results.json")
    thresholds = validate.configuration(config, changes)
    from audit.results.export import Also as Further
    from audit.results.gate import run_gate

    further = Further.of(also, out or results.parent, lang=lang, at=at)
    judged = run_gate(
        results,
        thresholds,
        baseline=baseline,
        as_json=json,
        lang=lang,
        quiet=quiet,
        per_sample=further.per_sample,
    )
    further.write(judged)
    raise typer.Exit(judged.verdict.exit_code)


@command(epilog="Exit codes: 0 nothing is worse · 1 something is · 2 wrong use", rich_help_panel=REVIEW)
def compare(
    old: o.OldResults,
    new: o.NewResults,
    format: o.CompareFormat = "table",
    lang: o.Language = "en",
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    """What got worse between two audits, beyond noise.

    Tests are paired where both audits speak of the same samples (the
    samples.csv beside each results.json), and pay for their number (Holm): of
    two equally good models, at most 5 % are called different in anything.

    [dim]$[/dim] audit compare last-release/ report/
    """
    validate.must_exist(old, "results.json")
    validate.must_exist(new, "results.json")
    from audit.results.compare import run_compare

    raise typer.Exit(run_compare(old, new, form=format, as_json=json, lang=lang, quiet=quiet))


@command(rich_help_panel=REVIEW)
def history(
    folder: o.HistoryFolder,
    estimate: o.Estimates = None,
    format: o.HistoryFormat = "table",
    out: o.HistoryFile = None,
    lang: o.Language = "en",
) -> None:
    """All audits below a folder, over time.

    [dim]$[/dim] audit history reports/ -e recipe.auc -e recipe.accuracy_gap
    [dim]$[/dim] audit history reports/ --format html -o history.html
    """
    validate.must_exist(folder, "folder")
    from audit.results.history import run_history

    run_history(folder, format, out, tuple(estimate or ()), lang)


@command(rich_help_panel=REVIEW)
def view(
    folder: o.HistoryFolder,
    port: o.Port = 0,
    lang: o.Language = "en",
    no_thumbnails: o.NoThumbnails = False,
) -> None:
    """Open all audits below a folder as a small site, for this machine alone.

    Reports, history, each run against the one before, and a table of samples
    with search and filters. Nothing is written; end it with Ctrl-C.

    [dim]$[/dim] audit view reports/
    """
    validate.must_exist(folder, "folder")
    from audit.results.view import run_view

    run_view(folder, port, lang=lang, thumbnails=not no_thumbnails)


@command(rich_help_panel=REVIEW)
def report(
    results: o.Results,
    format: o.ReportFormat = "html",
    out: o.ReportFile = None,
    lang: o.Language = "en",
    no_thumbnails: o.NoThumbnails = False,
    figures: o.FigureFormat = "svg",
    at: o.AlertsAt = "audit.toml",
) -> None:
    """Write a report again, in another format or language."""
    validate.must_exist(results, "file")
    if format == "evidence":
        from audit.results.evidence import run_evidence

        run_evidence(results, out, lang=lang, thumbnails=not no_thumbnails)
        return
    from audit.results.export import run_report
    from reports.formats.base import Style

    run_report(results, format, out, Style(lang=lang, thumbnails=not no_thumbnails, at=at, figures=figures))


@command(rich_help_panel=REVIEW)
def sign(
    pack: o.Pack,
    key: o.PrivateKey = None,
) -> None:
    """Sign an evidence pack with your own Ed25519 key.

    The key is made where there is none, and encrypted where
    $AUDIT_KEY_PASSPHRASE is set. Give its .pub file to whoever verifies.

    [dim]$[/dim] audit report report/results.json -f evidence -o evidence
    [dim]$[/dim] audit sign evidence --key team.pem
    """
    validate.must_exist(pack, "folder")
    from audit.results.signing import run_sign

    run_sign(pack, key)


@command(
    epilog="Exit codes: 0 intact and signed · 1 changed · 2 wrong use · 3 intact, not signed", rich_help_panel=REVIEW
)
def verify(
    pack: o.Pack,
    key: o.PublicKey = None,
    quiet: o.Quiet = False,
) -> None:
    """Say what was changed in an evidence pack.

    [dim]$[/dim] audit verify evidence --key team.pub
    """
    validate.must_exist(pack, "folder")
    from audit.results.signing import run_verify

    raise typer.Exit(run_verify(pack, key, quiet=quiet))


@command(epilog="Exit codes: 0 the same bytes · 1 something differs · 2 wrong use", rich_help_panel=REVIEW)
def reproduce(
    pack: o.Pack,
    model: o.ModelNow = None,
    recipe: o.Recipe = None,
    reference: o.Reference = None,
    baseline: o.Baseline = None,
    data_root: o.DataRoot = None,
    trust_code: o.TrustCode = False,
    workers: o.Workers = 0,
    store: o.StoreFolder = None,
    quiet: o.Quiet = False,
) -> None:
    """Repeat an audit from its evidence, and compare results.json byte by byte.

    Trains every replica again, in an empty store unless --store names one.

    [dim]$[/dim] audit reproduce evidence --model ckpt.pt
    """
    validate.must_exist(pack, "folder")
    from rich.console import Console

    from audit.cli.progress import Live
    from audit.results.reproduce import Places, run_reproduce

    places = Places(
        model=model, recipe=recipe, reference=reference, baseline=baseline, data_root=data_root, store=store
    )
    with Live(Console(stderr=True), quiet=quiet) as live:
        code = run_reproduce(pack, places, workers=workers, trust_code=trust_code, listener=live, quiet=quiet)
    raise typer.Exit(code)


@command(rich_help_panel=REVIEW)
def log(
    results: o.Results,
    to: o.Tracker,
    project: o.Project = "transfer-audit",
) -> None:
    """Log results to MLflow or Weights & Biases.

    Estimates with their intervals become metrics, the recipe and the probes'
    parameters become parameters; results.json and the report go along.
    samples.csv stays here: it says how exposed each record is.

    [dim]$[/dim] audit log report/results.json --to mlflow
    """
    validate.must_exist(results, "file")
    from audit.results.trackers import run_log

    run_log(results, to, project)


@command(rich_help_panel=MAKE)
def plan(
    model: o.Model,
    trust_code: o.TrustCode = False,
    config: o.ConfigFile = None,
    changes: o.Changes = None,
    budget: o.Budget = None,
    seed: o.Seed = None,
    workers: o.Workers = 0,
) -> None:
    """What an audit would cost, and what it could detect."""
    validate.must_exist(model, "checkpoint file")
    seconds = validate.seconds_of(budget)
    thresholds = validate.configuration(config, changes)
    with loading(quiet=False):
        from audit.cli.plan import run_plan

    run_plan(model, thresholds, budget=seconds, seed=seed, workers=workers, trust_code=trust_code)


@command(rich_help_panel=HELPERS)
def cache(
    store: o.StoreFolder = None,
    keep: o.MostMiB = None,
) -> None:
    """Show or prune the store of replicas."""
    with loading(quiet=False):
        from audit.cli.commands import run_cache

    run_cache(store or default_store(), keep)


@command(rich_help_panel=HELPERS)
def inspect(
    model: o.Inspected,
) -> None:
    """Verify what is in a checkpoint; nothing in it is run."""
    validate.must_exist(model, "checkpoint file")
    with loading(quiet=False):
        from audit.cli.inspect import run_inspect

    raise typer.Exit(run_inspect(model))


@command(rich_help_panel=MAKE)
def init(
    out: o.File = Path("audit.toml"),
    check: o.CheckOnly = False,
    every: o.EveryEstimate = False,
    register: o.Register = False,
    seed: o.Seed = None,
    trainer: o.InitTrainer = False,
) -> None:
    """Write a commented audit.toml, check one, or register one before a run.

    --register records the digest of the file's thresholds, its probes and the
    seed in audit-registered.json beside it; the next run's report says whether
    the gate used those. --trainer writes a train.py to fill in, which runs as
    it stands.

    [dim]$[/dim] audit init
    [dim]$[/dim] audit init --register --seed 7
    [dim]$[/dim] audit init --trainer && audit run --trainer train.py:train
    """
    from audit.cli.helpers import check_config, init_config, init_trainer

    if trainer:
        init_trainer(Path("train.py") if out == Path("audit.toml") else out)
    elif register:
        from audit.results.registration import register as fix

        fix(out if out.is_file() else None, seed)
    elif check:
        validate.must_exist(out, "configuration file")
        check_config(out)
    else:
        init_config(out, everything=every)


@command(rich_help_panel=HELPERS)
def schema(
    of: o.SchemaOf = "recipe",
) -> None:
    """Print a JSON Schema, for editors and for checks elsewhere.

    [dim]$[/dim] audit schema recipe > recipe.schema.json
    """
    from importlib.resources import files

    package = "audit" if of == "recipe" else "reports"
    typer.echo((files(package) / "schema" / f"{of}.schema.json").read_text(encoding="utf-8"), nl=False)


@command(rich_help_panel=HELPERS)
def probes() -> None:
    """List the installed probes and their parameters."""
    from audit.cli.helpers import list_probes

    list_probes()


def main() -> None:
    """Expected errors are one line and their exit code; a crash is a traceback and exit code 70, never a verdict."""
    validate.threads_sleep()
    validate.any_terminal()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a CI machine's stop ends as Ctrl-C does
    try:
        validate.must_stand_somewhere()
        app()
    except AuditError as error:
        _end(str(error), error.exit_code)
    except (KeyboardInterrupt, SystemExit) as ended:
        # Typer turns Ctrl-C into this exit code, without a word.
        if isinstance(ended, SystemExit) and ended.code != Interrupted.exit_code:
            raise
        _end("interrupted; what was done is kept.", Interrupted.exit_code)
    except Exception as error:
        if isinstance(error, MemoryError) or "allocate memory" in str(error):  # torch says so by RuntimeError
            _end("there is not enough memory. Use fewer --workers, or smaller data.", AuditError.exit_code)
        from audit.user_code import blamed

        if (place := blamed(error)) is not None:
            said = f"{place}: {type(error).__name__}: {error}. The recipe's own code raised it."
            _end(said, AuditError.exit_code)
        traceback.print_exc()
        _end("this is a defect of transfer-audit, not of your input.", EXIT_CRASH)


def _end(said: str, code: int) -> NoReturn:
    print(f"audit: {one_line(said)}", file=sys.stderr)
    sys.exit(code)
