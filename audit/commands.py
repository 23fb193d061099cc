"""What the commands do, once they are known to be well formed: here torch may be imported."""

from __future__ import annotations

import datetime
import os
import platform
import time
from importlib.resources import as_file, files
from pathlib import Path
from typing import Literal

from rich.console import Console

from audit import config as configs
from audit.live import Live
from audit.outputs import write, write_report
from audit.pipeline import Settings, audit, open_checkpoint
from audit.runtime import check_torch
from probes.errors import ConfigError, InputError, OverwriteError
from probes.probe import discover
from reports import archive, console, html, markdown
from reports.gate import judge
from reports.report import Json, Report

Format = Literal["html", "markdown", "summary"]


def run_finetune(recipe_path: Path, out: Path, quiet: bool) -> None:
    from audit import checkpoint, finetune
    from audit import recipe as recipes

    check_torch()
    recipe = recipes.load(recipe_path)
    if out.exists():
        raise OverwriteError("exists already.", where=str(out), do="Choose another --out or remove it.")
    screen = Console(stderr=True)
    folder = recipe_path.resolve().parent
    with Live(screen, quiet=quiet) as live:
        experiment = finetune.prepare(recipe, folder, trust_code=True, progress=live.epoch)
        trained = finetune.run(experiment, "target", live.epoch)
    checkpoint.save(out, experiment, trained, folder, None)
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
        _show(report, lang)
        Console().print(f"Report: {out / 'report.html'}", highlight=False, markup=False, soft_wrap=True)
    return report.verdict.exit_code


def run_gate(results: Path, config_path: Path | None, quiet: bool) -> int:
    config = configs.load(config_path, Path.cwd())
    report = read_results(results)
    verdict = judge(report.results, config.gate(), today=datetime.date.today())
    judged = Report(
        tool=report.tool,
        version=report.version,
        model=report.model,
        data=report.data,
        audit=report.audit,
        results=report.results,
        verdict=verdict,
    )
    if not quiet:
        _show(judged, "en")
    return verdict.exit_code


def run_report(results: Path, form: Format, out: Path | None, lang: str, thumbnails: bool) -> None:
    report = read_results(results)
    if form == "html":
        target = out or results.with_name("report.html")
        write(target, html.render(report, lang=lang, thumbnails=thumbnails))
    elif form == "summary":
        target = out or results.with_name("summary.md")
        write(target, markdown.summary(report, lang=lang))
    else:
        target = out or results.with_name("report.md")
        text, figures = markdown.render(report, lang=lang)
        for name, content in {target.name: text.encode(), **figures}.items():
            write(target.parent / name, content)
    Console().print(str(target), highlight=False, markup=False, soft_wrap=True)


def read_results(path: Path) -> Report:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError("no such file", where=str(path), do="Give the results.json of an audit.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read: {error}", where=str(path)) from None
    return archive.load(text, str(path))


def list_probes() -> None:
    Console().print(console.probes_table(list(discover().values())))


def init_config(path: Path) -> None:
    """A commented audit.toml; an existing one is never replaced."""
    if path.exists():
        raise ConfigError("exists already.", where=str(path), do="Remove it, or give another --out.")
    write(path, (files("audit") / "templates" / "audit.toml").read_bytes())


def _show(report: Report, lang: str) -> None:
    Console(width=min(80, Console().width)).print(console.table(report, lang=lang))
