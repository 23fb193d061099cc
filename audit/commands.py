"""Commands that train or look into models: here torch is imported."""

from __future__ import annotations

import datetime
import os
import platform
import time
from importlib.resources import as_file, files
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from audit import config as configs
from audit.live import Live
from audit.outputs import write_report
from audit.pipeline import audit, open_checkpoint
from audit.review import show
from audit.runtime import check_torch
from audit.settings import Settings
from probes.errors import InputError
from reports.report import Json


def run_finetune(recipe_path: Path, out: Path, quiet: bool) -> None:
    from audit import finetune
    from audit import recipe as recipes

    check_torch()
    recipe = recipes.load(recipe_path)
    screen = Console(stderr=True)
    folder = recipe_path.resolve().parent
    with Live(screen, quiet=quiet) as live:
        experiment, trained = finetune.to_file(recipe, folder, out, trust_code=True, progress=live.epoch)
    if not quiet:
        trace = trained.trace
        screen.print(
            f"{out}: {int(experiment.pool.member.sum())} members, training accuracy {trace.train_accuracy[-1]:.1%}, "
            f"validation accuracy {trace.validation_accuracy[-1]:.1%}",
            highlight=False,
        )


def run_demo(out: Path, store: Path, workers: int, quiet: bool) -> int:
    """Fine-tune once, then audit; a checkpoint that is there already is used again."""
    model = out / "ckpt.pt"
    if not model.exists():
        with as_file(files("audit") / "recipes" / "demo.toml") as recipe:
            run_finetune(recipe, model, quiet)
    settings = Settings(store=store, workers=workers)
    return run_audit(model, out, None, settings, lang="en", thumbnails=True, quiet=quiet)


def run_audit(
    model: Path, out: Path, config_path: Path | None, settings: Settings, *, lang: str, thumbnails: bool, quiet: bool
) -> int:
    """Audit, write, print the table; returns the exit code."""
    check_torch()
    config = configs.load(config_path, Path.cwd())
    if out.exists() and not out.is_dir():
        raise InputError("is a file; the report needs a folder.", where=str(out), do="Choose another --out.")
    began, processor = time.monotonic(), os.times()
    audited = open_checkpoint(model, settings)
    with Live(Console(stderr=True), quiet=quiet) as live:
        report = audit(audited, config, settings, live)
    used = os.times()
    cost: dict[str, Json] = {
        "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - began, 2),
        "processor_seconds": round(sum(used[:4]) - sum(processor[:4]), 2),
        "workers": settings.workers or os.cpu_count() or 1,
        "machine": platform.machine(),
        "store": str(settings.store),
    }
    write_report(out, report, cost, lang=lang, thumbnails=thumbnails)
    if not quiet:
        show(report, lang)
        Console().print(f"Report: {out / 'report.html'}", highlight=False, markup=False, soft_wrap=True)
    return report.verdict.exit_code


def run_inspect(model: Path) -> int:
    """What is in a checkpoint, and whether it is what it says; 1 where a check failed."""
    check_torch()
    from audit.inspection import inspect

    found = inspect(model)
    shown = Table(box=None, show_header=False, pad_edge=False)
    shown.add_column(style="bold", no_wrap=True)
    shown.add_column(overflow="fold")
    for name, fact in found.facts.items():
        shown.add_row(Text(name), Text(fact))
    for check in found.checks:
        mark = ("ok", "green") if check.passed else ("FAILED", "bold red")
        shown.add_row(Text.assemble(mark), Text(f"{check.name}: {check.detail}"))
    Console().print(shown)
    return 0 if found.passed else 1
