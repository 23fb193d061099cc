"""Commands that train or look into models: here torch is imported."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.resources import as_file, files
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from audit import config as configs
from audit.audited import open_checkpoint
from audit.cost import Meter
from audit.live import Live
from audit.outputs import write, write_report
from audit.pipeline import audit
from audit.review import print_json, show
from audit.runtime import check_torch
from audit.settings import Settings
from probes.errors import ConfigError, InputError
from reports.report import Report


def run_finetune(recipe_path: Path, out: Path, quiet: bool, changes: Sequence[str] = ()) -> None:
    from audit import finetune
    from audit import recipe as recipes

    check_torch()
    recipe = recipes.load(recipe_path, changes)
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
    model: Path,
    out: Path,
    config_path: Path | None,
    settings: Settings,
    *,
    lang: str,
    thumbnails: bool,
    quiet: bool,
    as_json: bool = False,
) -> int:
    """Audit, write, print the table, or the verdict as JSON and nothing else; returns the exit code."""
    config = configs.load(config_path, Path.cwd(), settings.changes)
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
    audited = open_checkpoint(model, settings)
    with Live(Console(stderr=True), quiet=quiet) as live:
        report = audit(audited, config, settings, live)
    write_report(out, report, meter.cost(settings), lang=lang, thumbnails=thumbnails)
    if as_json:
        print_json(report, report=str(out / "report.html"), results=str(out / "results.json"))
    elif not quiet:
        show(report, lang)
        Console().print(f"Report: {out / 'report.html'}", highlight=False, markup=False, soft_wrap=True)
    return report.verdict.exit_code


def run_mitigate(
    model: Path,
    out: Path,
    config_path: Path | None,
    settings: Settings,
    asked: Sequence[str],
    *,
    lang: str,
    thumbnails: bool,
    quiet: bool,
    as_json: bool = False,
) -> int:
    """Try countermeasures, write each one's report and the frontier; returns the best verdict's exit code."""
    from audit.mitigate import mitigate
    from reports import frontier_formats
    from reports.frontier import folder_of, named
    from reports.language import words

    config = configs.load(config_path, Path.cwd(), settings.changes)
    check_torch()
    audited = open_checkpoint(model, settings)
    screen, say = Console(stderr=True), words(lang)

    def attempt(name: str, make: Callable[[Live], Report]) -> Report:
        meter = Meter()
        if not quiet:
            screen.print(Text(named(name, say), style="bold"))
        with Live(screen, quiet=quiet) as live:
            report = make(live)
        write_report(out / folder_of(name), report, meter.cost(settings), lang=lang, thumbnails=thumbnails)
        return report

    frontier = mitigate(audited, config, settings, asked, out, attempt)
    write(out / "frontier.json", frontier_formats.as_json(frontier))
    write(out / "frontier.md", frontier_formats.markdown(frontier, say))
    write(out / "frontier.html", frontier_formats.html(frontier, say))
    if as_json:
        print(frontier_formats.as_json(frontier), end="")
    elif not quiet:
        Console(width=min(80, Console().width)).print(frontier_formats.console(frontier, say))
        Console().print(f"Frontier: {out / 'frontier.html'}", highlight=False, markup=False, soft_wrap=True)
    return frontier.exit_code


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


def run_plan(model: Path, config_path: Path | None, settings: Settings) -> None:
    """What an audit would train, by which engine, in what time and memory, and what that could detect."""
    check_torch()
    from audit.budget import fit, price
    from audit.duration import written
    from audit.population import rows_of
    from probes.plan import Plan

    config = configs.load(config_path, Path.cwd(), settings.changes)
    experiment = open_checkpoint(model, settings).experiment
    seed = experiment.seed if settings.seed is None else settings.seed
    plan = Plan.union([probe.needs for probe in config.probes()])
    gave_up: Mapping[str, tuple[int, int]] = {}
    if settings.budget is None:
        cost = price(experiment, rows_of(plan, experiment.pool, seed), settings.workers)
    else:
        fitted = fit(experiment, plan, settings.budget, seed, settings.workers)
        cost, gave_up = fitted.price, fitted.gave_up
    shown = Table(box=None, pad_edge=False)
    for heading in ("Rows", "Engine", "Seconds", "Why no faster engine"):
        shown.add_column(heading)
    for line in cost.lines:
        rows = ", ".join(f"{count} {design}" for design, count in line.designs.items())
        refused = "; ".join(f"{engine}: {why}" for engine, why in line.refused.items())
        shown.add_row(Text(rows), Text(line.engine), Text(f"{line.seconds(cost.workers):.0f}"), Text(refused))
    screen = Console()
    screen.print(shown)
    screen.print(
        f"{cost.rows} replicas, about {cost.seconds:.0f} s with {cost.workers} workers, {cost.bytes / 2**20:.0f} MiB; "
        "explaining predictions and the statistics take time of their own.",
        highlight=False,
    )
    if gave_up:
        fewer = ", ".join(f"{left} of {asked} {name}" for name, (left, asked) in gave_up.items())
        screen.print(f"The budget of {written(settings.budget or 0)} leaves {fewer} rounds.", highlight=False)
    if settings.budget is not None and cost.seconds > settings.budget:
        screen.print("That exceeds the budget, but no fewer would be a valid population.", highlight=False)
    powers = {
        "accuracy gap of the recipe": cost.power.accuracy_gap,
        "TPR at 1 % FPR, this checkpoint": cost.power.checkpoint_tpr,
        "TPR at 1 % FPR, this recipe": cost.power.recipe_tpr,
    }
    for name, least in powers.items():
        if least is not None:
            screen.print(f"Smallest {name} found with 80 % probability: {least:.3f}", highlight=False)


def run_cache(store: Path, keep: int | None) -> None:
    """List what the store holds, or remove the entries least recently written until `keep` MiB remain."""
    from audit.store import Store

    kept = Store(store)
    screen = Console()
    if keep is not None:
        screen.print(f"{kept.prune(keep * 2**20)} entries removed.", highlight=False)
    entries = list(kept.entries())
    size = sum(entry.size for entry in entries) / 2**20
    screen.print(f"{store}: {len(entries)} entries, {size:.1f} MiB.", highlight=False, soft_wrap=True)
