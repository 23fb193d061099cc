"""Repeats an audit from its evidence, and compares its results byte by byte."""

from __future__ import annotations

import dataclasses
import datetime
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from audit.checkpoints.language_folder import must_not_be_a_language_model
from audit.config import audit_config
from audit.config.recipe import RecipeFile
from audit.config.run_settings import Settings, place_of
from audit.pipelines.listener import Listener
from audit.results.read import LARGEST_RESULTS, load
from audit.results.registration import content_of
from audit.runtime.devices import check_torch
from audit.runtime.threads import threads
from audit.runtime.versions import versions
from audit.storage.bounded import read_bytes, read_text
from audit.storage.folders import named_path
from probes.errors import InputError
from probes.json_text import parsed
from reports import archive
from reports.gate.registration import Registration

EXIT_DIFFERENT = 1
MOST = 20
"""Differences shown."""


@dataclass(frozen=True, kw_only=True)
class Places:
    """Current paths, in place of those in the log."""

    model: Path | None = None
    recipe: Path | None = None
    reference: Path | None = None
    tried: Path | None = None
    baseline: Path | None = None
    variants: tuple[Path, ...] = ()
    """Each replaces the variant with its name in the log."""
    data_root: Path | None = None
    store: str | Path | None = None


class Run(BaseModel):
    """What a log must say for its audit to be run again."""

    model_config = ConfigDict(frozen=True, strict=True)

    model: Annotated[str, Field(min_length=1, max_length=4096)]
    recipe: str | None = None
    reference: str | None = None
    baseline: str | None = None
    data_root: str | None = None
    tried: str | None = None
    variants: dict[str, str] = Field(default={})
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None
    budget: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None
    stop_early: bool
    thumbnails: bool = True
    day: Annotated[str, AfterValidator(lambda day: datetime.date.fromisoformat(day).isoformat())] | None = None
    configuration: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """Whether results.json came out again to the byte, how many bytes it has, and, where not, lines that say where it
    differs and what is known to make it differ."""

    same: bool
    size: int
    explained: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        return 0 if self.same else EXIT_DIFFERENT


def reproduce(
    pack: str | Path,
    *,
    model: str | Path | None = None,
    recipe: str | Path | None = None,
    reference: str | Path | None = None,
    tried: str | Path | None = None,
    baseline: str | Path | None = None,
    variants: Sequence[str | Path] = (),
    data_root: str | Path | None = None,
    trust_code: bool = False,
    workers: int = 0,
    store: str | Path | None = None,
    listener: Listener | None = None,
) -> Reproduction:
    """Repeat an audit from its evidence pack, and compare results.json byte by byte.

    pack        the pack's folder; the paths below stand for those that its log names
    model       where the checkpoint is now
    recipe      where the recipe is now
    reference   where the reference checkpoint is now
    tried       where the answers of the models that were tried are now
    baseline    where the baseline's results.json is now
    variants    where the variants are now, each with the name that it had
    data_root   where the data is now
    trust_code  run the Python factory that the checkpoint names
    workers     processes, 0 (the default) for one per core; never changes a number
    store       where replicas are kept; without one every replica is trained again, in an empty store
    listener    is notified of progress

    Returns whether the bytes are the same, and what differs. Raises InputError if the pack does not say how the
    audit was run, and what `run` raises.

    >>> reproduce("evidence", model="ckpt.pt").same  # doctest: +SKIP
    True
    >>> reproduce("gone")
    Traceback (most recent call last):
    ...
    probes.errors.InputError: gone/log.json: no such file. Give the folder of a pack.
    """
    folder = Path(pack)
    given = {
        "model": model,
        "recipe": recipe,
        "reference": reference,
        "tried": tried,
        "baseline": baseline,
        "data_root": data_root,
    }
    places = Places(
        store=store,
        variants=tuple(map(Path, variants)),
        **{name: None if path is None else named_path(path) for name, path in given.items()},
    )
    run = _run_of(folder)
    wanted = read_bytes(folder / "results.json", LARGEST_RESULTS, InputError)
    load(folder / "results.json")  # a result that is none is said here
    config = audit_config.parse(run.configuration, str(folder / "log.json"))
    must_not_be_a_language_model(
        places.model or Path(run.model),
        "Run it again with the options of log.json and the same --seed: `audit compare` then says what differs.",
    )
    with tempfile.TemporaryDirectory(prefix="transfer-audit-") as scratch:
        settings = _settings(run, places, wanted, Path(scratch), workers, trust_code, content_of(config, run.seed))
        found = _again(run, places, config, settings, listener or Listener()).encode()
    if found == wanted:
        return Reproduction(same=True, size=len(found))
    lines = tuple(explained(parsed(wanted), parsed(found), budget=run.budget))
    return Reproduction(same=False, size=len(found), explained=lines)


def explained(old: Mapping[str, Any], new: Mapping[str, Any], *, budget: float | None) -> Iterator[str]:
    """What differs, and the known causes of differences."""
    places = list(_differences("", old, new))
    yield f"results.json differs in {len(places)} places:"
    yield from (f"  {place}" for place in places[:MOST])
    if len(places) > MOST:
        yield f"  … and {len(places) - MOST} more"
    before, now = old.get("audit", {}).get("versions", {}), versions()
    for package in sorted({*before, *now}):
        if before.get(package) != now.get(package):
            yield f"{package} was {before.get(package)}, is {now.get(package)}: the last bits of sums may differ."
    if budget is not None:
        yield "The audit had a time budget: how many rounds fit depends on the machine."
    yield "Another processor, or a GPU, may round sums differently."


def _differences(path: str, old: object, new: object) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            yield from _differences(f"{path}.{key}".strip("."), old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for i, (one, other) in enumerate(zip(old, new, strict=True)):
            name = one.get("name") or one.get("probe") if isinstance(one, dict) else None
            yield from _differences(f"{path}[{name or i}]", one, other)
    elif old != new:
        yield f"{path}: {_short(old)} → {_short(new)}"


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:59] + "…"


def _run_of(pack: Path) -> Run:
    path = pack / "log.json"
    try:
        log = parsed(read_text(path, LARGEST_RESULTS, InputError, do="Give the folder of a pack."))
    except ValueError as error:
        raise InputError(f"is not valid JSON: {error}.", where=str(path), do="Give the folder of a pack.") from None
    try:
        return Run.model_validate(log)
    except ValidationError as error:
        mistake = error.errors(include_url=False, include_input=False)[0]
        part = ".".join(map(str, mistake["loc"][:3]))
        raise InputError(
            f"does not say how the audit was run: {part + ': ' if part else ''}{mistake['msg']}.",
            where=str(path),
            do="Make the pack from a run of `audit run`.",
        ) from None


def _settings(
    run: Run,
    places: Places,
    wanted: bytes,
    scratch: Path,
    workers: int,
    trust_code: bool,
    content: Mapping[str, object],
) -> Settings:
    baseline = places.baseline or _path(run.baseline)
    recipe = places.recipe or _path(run.recipe)
    store, remote = place_of(places.store) if places.store else (scratch / "store", None)
    return Settings(
        store=store,
        remote=remote,
        seed=run.seed,
        workers=workers,
        budget=run.budget,
        stop_early=run.stop_early,
        baseline=None if baseline is None else load(baseline),
        reference=places.reference or _path(run.reference),
        tried=places.tried or _path(run.tried),
        recipe=None if recipe is None else RecipeFile.read(recipe),
        data_root=places.data_root or _path(run.data_root),
        trust_code=trust_code,
        registration=_registration(parsed(wanted), content),
        today=datetime.date.fromisoformat(run.day) if run.day else None,
    )


def _registration(results: Mapping[str, Any], content: Mapping[str, object]) -> Registration | None:
    """The file that the run found, if the run used its content; otherwise it is not known here."""
    told = results.get("audit", {}).get("registration") or {}
    if told.get("status") != "as registered":
        return None
    for seed in (content.get("seed"), results["audit"].get("seed"), None):
        made = Registration(content={**content, "seed": seed}, registered=str(told.get("registered", "")))
        if made.digest == told.get("digest"):
            return made
    return None


def _again(run: Run, places: Places, config: audit_config.Config, settings: Settings, listener: Listener) -> str:
    from audit.checkpoints.open_model import open_checkpoint
    from audit.checkpoints.tried_models import with_tried
    from audit.checkpoints.variants import variants_of
    from audit.pipelines.auditing import audit
    from audit.pipelines.classifier import Classifier

    check_torch()
    model = places.model or Path(run.model)
    if not model.exists():
        raise InputError("no such checkpoint file.", where=str(model), do="Give --model with its current path.")
    with threads(1):
        audited = open_checkpoint(model, settings)
        audited = with_tried(audited, settings.tried)
        audited = dataclasses.replace(audited, variants=variants_of(_variants(run, places), audited))
        report = audit(Classifier(audited), config, settings, listener)
    return archive.dump(report if run.thumbnails else report.without_pictures())


def _variants(run: Run, places: Places) -> dict[str, object]:
    """The variants of the log, with their current paths."""
    from audit.checkpoints.variants import named

    told: dict[str, object] = dict(run.variants)
    now = named(places.variants)
    if strange := sorted(now.keys() - told.keys()):
        known = ", ".join(sorted(told)) or "none"
        raise InputError(
            f"the audit had no variant {strange[0]!r}; it had {known}.",
            where=f"--variant {now[strange[0]]}",
            do="Give a file with the variant's name.",
        )
    return told | now


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None
