"""`audit run`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console

from audit.cli import options as o
from audit.cli import validate
from audit.cli.loading import loading
from probes.errors import ConfigError

if TYPE_CHECKING:
    from audit.config.audit_config import Config
    from audit.config.run_settings import Language
    from reports.report import Report


def run(
    model: o.ModelOrTrainer = None,
    trainer: o.Trainer = None,
    predictions: o.PredictionsFile = None,
    recipe: o.Recipe = None,
    base: o.Base = None,
    weights: o.Weights = None,
    data: o.DataFile = None,
    members: o.Members = None,
    canaries: o.Canaries = None,
    data_root: o.DataRoot = None,
    trust_code: o.TrustCode = False,
    reference: o.Reference = None,
    baseline: o.Baseline = None,
    history: o.History = None,
    variants: o.Variants = None,
    tried: o.Tried = None,
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

    Trains replicas (kept in the store, so an interrupted run resumes), runs the probes, and writes report.html,
    report.md, results.json, samples.csv and run.json.

    [dim]$[/dim] audit run -m ckpt.pt -o report
    [dim]$[/dim] audit run -m ckpt.pt -c audit.toml --json > verdict.json
    [dim]$[/dim] audit run -m weights.safetensors --recipe recipe.toml
    [dim]$[/dim] audit run -m saved-model/ --recipe data.toml --base bert-base/
    [dim]$[/dim] audit run -m ckpt.pt --trainer train.py:train
    [dim]$[/dim] audit run --predictions answers.npz
    [dim]$[/dim] audit run -m adapter/ --data instructions.json --members rows.txt
    [dim]$[/dim] audit run -m ckpt.pt --baseline last-release/results.json
    [dim]$[/dim] audit run -m ckpt.pt --history reports/ -o reports/v7
    [dim]$[/dim] audit run -m a.pt --variant int8.npz --variant distilled.pt
    """
    validate.must_say_what(model, trainer, recipe, predictions)
    validate.must_be_a_model(model)
    validate.must_be_a_model(reference)
    validate.must_exist(baseline, "results.json")
    validate.must_hold_a_report(out)
    if address is not None and executor != "ray":
        raise ConfigError("is for --executor ray.", where="--address", do="Add it, or omit --address.")
    seconds = validate.seconds_of(budget)
    hanging = validate.seconds_of(replica_timeout, "--replica-timeout")
    configuration = validate.configuration(config, changes, audited=True)
    if history is not None and not history.exists():
        from audit.results.last_release import is_made_with

        if not is_made_with(history, out):
            validate.must_exist(history, "folder")
    for variant in variants or ():
        validate.must_exist(variant, "variant")
    validate.must_exist(tried, "file of answers")
    validate.must_have_a_baseline(configuration, baseline or history or configuration.history)
    language = validate.language_model(model, {"--data": data, "--members": members, "--canaries": canaries})
    made_by = recipe if language else validate.recipe_for(model, recipe, base, data_root, trust_code=trust_code)
    from audit.results.export import Also as Further

    further = Further.of(also, out, lang=lang, at=at)
    report = audited(
        model,
        out,
        configuration,
        lang=lang,
        quiet=quiet or json,
        as_json=json,
        recipe=made_by,
        data=data,
        members=members,
        canaries=canaries,
        reference=reference,
        baseline=baseline,
        base=base,
        weights=weights,
        history=history,
        variants=tuple(variants or ()),
        tried=tried,
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


def audited(
    model: Path | None,
    out: Path,
    config: Config | None,
    *,
    lang: Language,
    quiet: bool,
    as_json: bool = False,
    **given: Any,
) -> Report:
    """Audit, write, and print the table, or only the verdict as JSON; `given` are further parameters of `audit.run`."""
    with loading(quiet=quiet):
        from audit import api
    from audit.cli.progress import Live
    from audit.results.gate import print_json, show

    with Live(Console(stderr=True), quiet=quiet) as live:
        report = api.run(model, out=out, config=config, lang=lang, listener=live, **given)
    if as_json:
        print_json(report, report=str(out / "report.html"), results=str(out / "results.json"))
    elif not quiet:
        show(report, lang)
        Console().print(f"Report: {out / 'report.html'}", highlight=False, markup=False, soft_wrap=True)
    return report
