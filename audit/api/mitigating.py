"""`audit.mitigate`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
from jaxtyping import Int

from audit.api.arguments import (
    GivenConfig,
    GivenRecipe,
    base_given,
    checkpoint_of,
    path_of,
    recipe_file_of,
    seconds_given,
)
from audit.api.writing import Writing
from audit.checkpoints.language_folder import must_not_be_a_language_model
from audit.checkpoints.open_model import open_checkpoint
from audit.checkpoints.tried_models import answers_of, write_tried
from audit.config import audit_config
from audit.config.run_settings import Language, Settings, place_of
from audit.mitigation import search
from audit.pipelines.auditing import audit
from audit.pipelines.classifier import Classifier
from audit.pipelines.listener import Listener
from audit.results.read import measured_remedies
from audit.results.run_cost import Meter
from audit.results.write import write_pages
from audit.runtime.devices import check_torch
from audit.runtime.garbage import older_left_alone
from audit.runtime.threads import threads
from audit.storage.atomic import write
from audit.storage.folders import named_path
from reports.frontier import formats as frontier_formats
from reports.frontier.frontier import AS_IS, Frontier, folder_of
from reports.report import Report
from reports.wording.catalogue import words


def mitigate(
    model: str | Path,
    countermeasures: Sequence[str] = (),
    *,
    out: str | Path,
    recipe: GivenRecipe | None = None,
    base: str | Path | None = None,
    weights: str | None = None,
    config: GivenConfig | None = None,
    changes: Sequence[str] = (),
    budget: str | float | None = None,
    data_root: str | Path | None = None,
    lang: Language = "en",
    thumbnails: bool = True,
    store: str | Path | None = None,
    seed: int | None = None,
    workers: int = 0,
    trust_code: bool = False,
    listening: Callable[[str], AbstractContextManager[Listener]] = lambda name: nullcontext(Listener()),
) -> Frontier:
    """Which countermeasure works, and what it costs: fine-tune the model again with each, audit each on the same folds,
    and write the reports and the frontier into `out`.

    model            the path of a checkpoint or of its folder, or a folder written by transformers, PEFT, Lightning or
                     timm
    countermeasures  names, or NAME=STRENGTH: l1, l2, l2-sp, wise-ft, dropout, early-stopping, features, lp-ft, augment,
                     dp; default: all that apply
    out              the folder of the frontier and of each candidate's report
    recipe           how it was trained, if the checkpoint does not say: the path of a recipe, or its content
    base             for a model in a folder: what its training started from, a folder or a file
    weights          for a file with several sets of weights (raw and EMA): the key of the set to audit
    config           an audit.toml or its content; default: the audit.toml or pyproject.toml of the working folder
    changes          single values that replace those of `config`, as KEY=VALUE in TOML: "probes.membership.repeats=16"
    budget           time for training each candidate's replicas: seconds, or text such as "10m"; fewer rounds if all
                     would take longer
    data_root        where the data is now, if it has moved: a folder, or the file itself
    lang             language of the reports: en (the default) or zh
    thumbnails       False: no image or text of a sample in any file
    store            where replicas are kept: a folder, or a URL that machines share (s3://…); default: the user's cache
    seed             root seed of the audits, at least 0; default: the checkpoint's
    workers          processes, 0 (the default) for one per core; never changes a number
    trust_code       run the Python code that the checkpoint refers to
    listening        a function from a candidate's name to the listener of its audit

    Returns the candidates with their reports, the efficient ones among them and the one to choose (`chosen`). Raises
    AuditError.

    >>> mitigate("ckpt.pt", ["l2-sp=0.1", "dp=8"], out="remedies").chosen.name  # doctest: +SKIP
    'dp=8'
    >>> mitigate("gone.pt", out="remedies")
    Traceback (most recent call last):
    ...
    probes.errors.InputError: gone.pt: no such checkpoint file. Check the path.
    """
    must_not_be_a_language_model(
        Path(model),
        "Train it again with fewer epochs, without repeated records, or with [train.privacy], and give `audit run` the "
        "earlier report as --baseline.",
    )
    check_torch()
    chosen, folder = audit_config.check_config(config, changes), named_path(out)
    kept_in, remote = place_of(store)
    settings = Settings(
        store=kept_in,
        remote=remote,
        seed=seed,
        workers=workers,
        budget=seconds_given(budget),
        recipe=recipe_file_of(recipe, model=model, base=base, trust_code=trust_code),
        base=base_given(base),
        weights=weights,
        data_root=path_of(data_root),
        trust_code=trust_code,
    )
    audited = open_checkpoint(checkpoint_of(model), settings)
    predicted: dict[str, Int[np.ndarray, " samples"]] = {}

    def attempt(name: str, make: search.Make) -> Report:
        meter, writing = Meter(), Writing(out=folder / folder_of(name), lang=lang, thumbnails=thumbnails)
        with listening(name) as listener:
            candidate, judging, asked = make(listener)

            def audited_again(heard: Listener) -> Report:
                return audit(Classifier(candidate), judging, asked, heard)

            made = writing.made(audited_again, judging, asked, listener, meter, model=str(model))
            predicted[name] = answers_of(candidate)
            return made

    with threads(1), older_left_alone():
        frontier = search.mitigate(audited, chosen, settings, countermeasures, folder, attempt)
    # Who chooses one of them by its held-out accuracy has selected on these samples.
    write_tried(folder / "tried.npz", [predicted[one.name] for one in frontier.tried])
    _write(frontier, folder, lang)
    return frontier


def _write(frontier: Frontier, folder: Path, lang: Language) -> None:
    """The frontier, and once more the report of the recipe as it is, which was written before anything was tried."""
    say = words(lang)
    write(folder / "frontier.json", frontier_formats.as_json(frontier))
    write(folder / "frontier.md", frontier_formats.markdown(frontier, say))
    write(folder / "frontier.html", frontier_formats.html(frontier, say))
    own = folder / folder_of(AS_IS)
    again = frontier.tried[0].report
    again = dataclasses.replace(again, remedies=measured_remedies(own / "results.json", again))
    write_pages(own, again, lang=lang)
