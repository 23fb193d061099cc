"""Commands that train or look into models: here torch is imported."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from rich.console import Console

from audit import api
from audit.cli.progress import Live
from audit.config.audit_config import Config
from audit.config.recipe import RecipeFile
from audit.config.run_settings import Language
from audit.results.gate import print_json, show
from probes.texts import texts
from reports.report import Report


def run_finetune(recipe: RecipeFile, out: Path, quiet: bool) -> None:
    screen = Console(stderr=True)
    with Live(screen, quiet=quiet) as live:
        made = api.finetune(recipe, out, listener=live)
    if not quiet:
        for note in made.notes:
            screen.print(texts("en").say(note), highlight=False, markup=False, soft_wrap=True)
        said = f"{out}: {made.members} members, training accuracy {made.train_accuracy:.1%}"
        if made.validation_accuracy is not None:
            said += f", validation accuracy {made.validation_accuracy:.1%}"
        screen.print(said, highlight=False, markup=False, soft_wrap=True)


def run_demo(out: Path, store: Path, workers: int, quiet: bool) -> Report:
    """Fine-tune once, then audit; a checkpoint that is there already is used again."""
    model = out / "ckpt.pt"
    if not model.exists():
        with as_file(files("audit") / "recipes" / "demo.toml") as path:
            run_finetune(RecipeFile.read(path), model, quiet)
    return run_audit(model, out, None, lang="en", quiet=quiet, store=store, workers=workers)


def run_audit(
    model: Path | None,
    out: Path,
    config: Config | None,
    *,
    lang: Language,
    quiet: bool,
    as_json: bool = False,
    **given: Any,
) -> Report:
    """Audit, write, print the table, or the verdict as JSON and nothing else; `given` are further parameters of
    `audit.run`."""
    with Live(Console(stderr=True), quiet=quiet) as live:
        report = api.run(model, out=out, config=config, lang=lang, listener=live, **given)
    if as_json:
        print_json(report, report=str(out / "report.html"), results=str(out / "results.json"))
    elif not quiet:
        show(report, lang)
        Console().print(f"Report: {out / 'report.html'}", highlight=False, markup=False, soft_wrap=True)
    return report


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
