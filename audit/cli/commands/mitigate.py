"""`audit mitigate`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.text import Text

from audit.cli import options as o
from audit.cli import validate
from audit.cli.loading import loading

if TYPE_CHECKING:
    from audit.cli.progress import Live
    from audit.config.run_settings import Language
    from reports.frontier.frontier import Frontier


def mitigate(
    model: o.Model,
    recipe: o.Recipe = None,
    base: o.Base = None,
    weights: o.Weights = None,
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
    """Try countermeasures: which of them works, and what it costs.

    Fine-tunes the model again with each countermeasure, audits every one on
    the same folds, and shows accuracy against leakage, overfitting and drift.
    Known: l1, l2, l2-sp, wise-ft, dropout, early-stopping, features, lp-ft, augment, dp.

    [dim]$[/dim] audit mitigate -m ckpt.pt -o remedies
    [dim]$[/dim] audit mitigate -m ckpt.pt --try l2-sp=0.1 --try dp=8 --budget 5m
    """
    validate.must_be_a_model(model)
    validate.must_hold_a_report(out)
    seconds = validate.seconds_of(budget)
    configuration = validate.configuration(config, changes, audited=True)
    made_by = validate.recipe_for(model, recipe, base, data_root, trust_code=trust_code)
    from audit.mitigation.countermeasures import check

    check(countermeasures or ())
    frontier = mitigated(
        model,
        out,
        countermeasures or (),
        lang=lang,
        quiet=quiet or json,
        as_json=json,
        config=configuration,
        recipe=made_by,
        base=base,
        weights=weights,
        data_root=data_root,
        trust_code=trust_code,
        budget=seconds,
        seed=seed,
        workers=workers,
        store=store,
        thumbnails=not no_thumbnails,
    )
    raise typer.Exit(frontier.exit_code)


def mitigated(
    model: Path, out: Path, asked: Sequence[str], *, lang: Language, quiet: bool, as_json: bool, **given: Any
) -> Frontier:
    """Try countermeasures, write each one's report and the frontier; `given` are further parameters of
    `audit.mitigate`."""
    with loading(quiet=quiet):
        from audit import api
    from audit.cli.progress import Live
    from audit.results.screen import screen
    from reports.frontier import formats
    from reports.frontier.frontier import named
    from reports.wording.catalogue import words

    log, say = Console(stderr=True), words(lang)

    @contextmanager
    def listening(name: str) -> Iterator[Live]:
        if not quiet:
            log.print(Text(named(name, say), style="bold"))
        with Live(log, quiet=quiet) as live:
            yield live

    frontier = api.mitigate(model, asked, out=out, lang=lang, listening=listening, **given)
    if as_json:
        print(formats.as_json(frontier), end="")
    elif not quiet:
        screen().print(formats.console(frontier, say))
        Console().print(f"Frontier: {out / 'frontier.html'}", highlight=False, markup=False, soft_wrap=True)
    return frontier
