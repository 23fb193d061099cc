"""The files of an evidence pack: a pure function of a report, its results.json and its log."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from probes.errors import InputError
from probes.json_text import parsed
from reports.archive import dump
from reports.evidence import annex, bill_of_materials, checksums, statement
from reports.formats.base import Files, Format, Style, utf8
from reports.report import Json, Report
from reports.wording.catalogue import words

THRESHOLDS = "thresholds.json"
RESULTS, LOG, SELFCHECK = "results.json", "log.json", "selfcheck.json"
LEFT_OUT = ("samples.csv", "samples.parquet")
"""Files that record how exposed each record is; the pack contains only their digests."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Inputs:
    """The inputs of a pack. `left_out` are the digests of files beside the results that are not included."""

    report: Report
    results: bytes
    """results.json unchanged."""
    log: Mapping[str, Json]
    left_out: Mapping[str, str]
    selfcheck: bytes | None = None
    """The output of `audit selfcheck`, if it was run."""


def pack(inputs: Inputs, *, lang: str, thumbnails: bool) -> dict[str, bytes]:
    """File name → content; the checksums are the last."""
    from reports.formats import html, markdown, model_card, pdf  # drawing takes a second to import

    report = inputs.report
    text, figures = markdown.render(report, lang=lang)
    files = {
        "results.json": inputs.results,
        "report.html": utf8(html.render(report, lang=lang, thumbnails=thumbnails)),
        "report.md": utf8(text),
        **figures,
        "summary.pdf": pdf.render(report, lang=lang),
        "recipe.json": _json(recipe(report)),
        THRESHOLDS: _json(thresholds(report)),
        "environment.json": _json(environment(report, inputs.log)),
        "log.json": _json({**without_places(inputs.log), "run": report.cost, "left_out": inputs.left_out}),
        "annex.json": _json(annex.as_data(report)),
        **{f"annex.{one}.md": utf8(annex.markdown(report, one)) for one in ("en", "zh")},
        bill_of_materials.NAME: bill_of_materials.render(report, inputs.results),
        "model-card.md": utf8(model_card.render(report, lang=lang)),
    }
    if inputs.selfcheck is not None:
        files["selfcheck.json"] = inputs.selfcheck
    files[statement.NAME] = statement.render(report, files, THRESHOLDS)
    return {**files, checksums.NAME: checksums.listing(files)}


def of_files(report: Report, files: Files, style: Style) -> dict[str, bytes]:
    """The pack of a run's files. Raises InputError if its log is not one."""
    selfcheck = files.get(SELFCHECK)
    if selfcheck is not None:
        report = dataclasses.replace(report, audit={**report.audit, "selfcheck": True})
    inputs = Inputs(
        report=report,
        results=files[RESULTS],
        log=_log(files[LOG]) if LOG in files else {},
        left_out={name: checksums.digest(files[name]) for name in LEFT_OUT if files.get(name)},
        selfcheck=selfcheck,
    )
    return pack(inputs, lang=style.lang, thumbnails=style.thumbnails)


def _log(content: bytes) -> Mapping[str, Json]:
    try:
        log = parsed(content)
    except ValueError as error:
        raise InputError(f"is not JSON: {error}.", where=LOG, do="Remove it, or run the audit again.") from None
    if not isinstance(log, dict):
        raise InputError("is not the log of an audit.", where=LOG, do="Remove it, or run the audit again.")
    return log


PLACES = ("model", "recipe", "reference", "baseline", "data_root", "tried", "variants")


def without_places(log: Mapping[str, Json]) -> dict[str, Json]:
    """The log with the names alone of files that lay elsewhere on the machine: a pack is handed on, and its reader says
    where they are now.

    >>> without_places({"model": "/models/ckpt.pt", "recipe": "recipe.toml"})
    {'model': 'ckpt.pt', 'recipe': 'recipe.toml'}
    """
    return {key: _nameless(value) if key in PLACES else value for key, value in log.items()}


def _nameless(value: Json) -> Json:
    if isinstance(value, Mapping):
        return {name: _nameless(one) for name, one in value.items()}
    if not isinstance(value, str):
        return value
    kinds = (PurePosixPath(value), PureWindowsPath(value))
    return next((one.name for one in kinds if one.is_absolute()), value)


def recipe(report: Report) -> dict[str, Any]:
    """The recipe of the model, and the digests that identify it."""
    keys = ("name", "architecture", "transfer", "digest", "source_digest", "recipe", "trainer", "trained_with")
    return {key: report.model[key] for key in keys if key in report.model} | {"data": dict(report.data)}


def thresholds(report: Report) -> dict[str, object]:
    """What the gate required, whether it was registered, and the result of each check."""
    from reports.archive import verdict_json

    told = verdict_json(report)
    return {
        "configuration": report.audit.get("configuration"),
        "registration": report.audit.get("registration"),
        "reasons": _reasons(report),
        "status": told["status"],
        "checks": told["checks"],
    }


def _reasons(report: Report) -> dict[str, str]:
    """The model card, in English; the report has both languages."""
    told, say = report.audit.get("reasons"), words("en")
    codes = told if isinstance(told, Mapping) else {}
    return {name: str(say.find("why", str(code) or "own") or code) for name, code in codes.items()}


def environment(report: Report, log: Mapping[str, Json]) -> dict[str, object]:
    """Versions that numbers depend on, of the audit and of the training it audits, and all installed packages."""
    return {
        "audit": report.audit.get("versions", {}),
        "training": report.model.get("trained_with", {}),
        "machine": {key: report.cost[key] for key in ("machine", "platform", "workers") if key in report.cost},
        "installed": log.get("installed", {}),
    }


def _json(content: object) -> bytes:
    return utf8(json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, default=str) + "\n")


FORMAT = Format(
    file="evidence",
    render=lambda report, style: of_files(report, {RESULTS: utf8(dump(report))}, style),
    reads=(RESULTS, LOG, SELFCHECK, *LEFT_OUT),
    of_files=of_files,
    folder=True,
    then="sign it with `audit sign {folder}`.",
)
