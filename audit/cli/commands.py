"""Commands that train or look into models: here torch is imported."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path

from rich.console import Console

from audit.checkpoints.audited_model import Audited, open_checkpoint
from audit.cli.progress import Live
from audit.config import audit_config
from audit.config.audit_config import Config
from audit.config.run_settings import Settings
from audit.listener import Listener
from audit.pipeline import audit
from audit.results import registration
from audit.results.gate import print_json, show
from audit.results.run_cost import Meter
from audit.results.run_log import Recorder, log
from audit.results.write import write_report
from audit.runtime import check_torch
from audit.storage.failures import traces_kept
from probes.errors import ConfigError, InputError
from reports.report import Json, Report


def run_finetune(recipe_path: Path, out: Path, quiet: bool, changes: Sequence[str] = ()) -> None:
    from audit.checkpoints.finetune import to_file
    from audit.config import recipe as recipes

    check_torch()
    recipe = recipes.load(recipe_path, changes)
    screen = Console(stderr=True)
    folder = recipe_path.resolve().parent
    with Live(screen, quiet=quiet) as live:
        experiment, trained = to_file(recipe, folder, out, trust_code=True, progress=live.epoch)
    if not quiet:
        for note in experiment.dataset.notes:
            screen.print(note, highlight=False, markup=False, soft_wrap=True)
        trace = trained.trace
        said = f"{out}: {int(experiment.pool.member.sum())} members, training accuracy {trace.train_accuracy[-1]:.1%}"
        if experiment.pool.validation.any():
            said += f", validation accuracy {trace.validation_accuracy[-1]:.1%}"
        screen.print(said, highlight=False, markup=False, soft_wrap=True)


def run_demo(out: Path, store: Path, workers: int, quiet: bool) -> int:
    """Fine-tune once, then audit; a checkpoint that is there already is used again."""
    model = out / "ckpt.pt"
    if not model.exists():
        with as_file(files("audit") / "recipes" / "demo.toml") as recipe:
            run_finetune(recipe, model, quiet)
    settings = Settings(store=store, workers=workers)
    return run_audit(model, out, None, settings, lang="en", thumbnails=True, quiet=quiet)


def run_audit(
    model: Path | None,
    out: Path,
    config_path: Path | None,
    settings: Settings,
    *,
    lang: str,
    thumbnails: bool,
    quiet: bool,
    as_json: bool = False,
    baseline: Path | None = None,
) -> int:
    """Audit, write, print the table, or the verdict as JSON and nothing else; returns the exit code."""
    config = audit_config.load(config_path, Path.cwd(), settings.changes)
    if settings.baseline is None and (named := config.needs_baseline()):
        raise ConfigError(
            f"{named} must be no worse than a baseline, and there is none.",
            where=config.where,
            do="Give --baseline OLD/results.json.",
        )
    check_torch()
    if out.exists() and not out.is_dir():
        raise InputError("is a file; the report needs a folder.", where=str(out), do="Choose another --out.")
    meter = Meter()
    settings = dataclasses.replace(settings, registration=registration.find(config_path))
    with traces_kept(settings.store), Live(Console(stderr=True), quiet=quiet) as live:
        recorder = Recorder(live)
        report = _audited(model, config, settings, recorder)
    more: dict[str, Json] = {"thumbnails": thumbnails, "day": str(datetime.date.today())}
    more["baseline"] = None if baseline is None else str(baseline)
    ran = log(str(model or settings.trainer or settings.predictions), config, settings, recorder.events, **more)
    write_report(out, report, meter.cost(settings), lang=lang, thumbnails=thumbnails, log=ran)
    if as_json:
        print_json(report, report=str(out / "report.html"), results=str(out / "results.json"))
    elif not quiet:
        show(report, lang)
        Console().print(f"Report: {out / 'report.html'}", highlight=False, markup=False, soft_wrap=True)
    return report.verdict.exit_code


def _audited(model: Path | None, config: Config, settings: Settings, listener: Listener) -> Report:
    if settings.predictions is not None:
        from audit.evidence.predictions import read
        from audit.predicted import audit_predictions

        return audit_predictions(read(settings.predictions), config, settings, listener)
    return audit(_opened(model, settings), config, settings, listener)


def _opened(model: Path | None, settings: Settings) -> Audited:
    if settings.trainer is not None:
        from audit.checkpoints.user_trained import open_trained

        return open_trained(model, settings)
    assert model is not None
    return open_checkpoint(model, settings)


def run_cache(store: Path, keep: int | None) -> None:
    """List what the store holds, or remove the entries least recently written until `keep` MiB remain."""
    from audit.storage.store import Store

    kept = Store(store)
    screen = Console()
    if keep is not None:
        screen.print(f"{kept.prune(keep * 2**20)} entries removed.", highlight=False)
    entries = list(kept.entries())
    size = sum(entry.size for entry in entries) / 2**20
    screen.print(f"{store}: {len(entries)} entries, {size:.1f} MiB.", highlight=False, soft_wrap=True)
