"""An evidence pack in a folder: made from a results.json and what lies beside it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from audit.results.read import read_with_cost
from audit.storage.atomic import write
from probes.errors import InputError, OverwriteError
from reports.evidence import checksums
from reports.evidence.pack import Inputs, pack
from reports.report import Json

SELFCHECK = "selfcheck.json"
LEFT_OUT = ("samples.csv", "samples.parquet")
"""They say how exposed each record is, so they do not travel; their digests do."""


def run_evidence(results: Path, out: Path | None, *, lang: str, thumbnails: bool) -> None:
    """Write the pack of these results into `out`, else into evidence/ beside them."""
    folder = out or results.parent / "evidence"
    _must_be_free(folder)
    report = read_with_cost(results)
    selfcheck = _optional(results.with_name(SELFCHECK))
    if selfcheck is not None:
        report = dataclasses.replace(report, audit={**report.audit, "selfcheck": True})
    inputs = Inputs(
        report=report,
        results=results.read_bytes(),
        log=_log(results.with_name("log.json")),
        left_out={
            name: checksums.digest(content) for name in LEFT_OUT if (content := _optional(results.with_name(name)))
        },
        selfcheck=selfcheck,
    )
    for name, content in pack(inputs, lang=lang, thumbnails=thumbnails).items():
        write(folder / name, content)
    Console().print(f"{folder}: sign it with `audit sign {folder}`.", highlight=False, markup=False, soft_wrap=True)


def _must_be_free(folder: Path) -> None:
    """A file of an older pack would be one that no checksum names. Raises OverwriteError."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OverwriteError("is not empty.", where=str(folder), do="Remove it, or give another --out.")


def _log(path: Path) -> Mapping[str, Json]:
    content = _optional(path)
    if content is None:
        return {}
    try:
        log = json.loads(content)
    except ValueError as error:
        raise InputError(f"is not JSON: {error}.", where=str(path), do="Remove it, or run the audit again.") from None
    if not isinstance(log, dict):
        raise InputError("is not a log of an audit.", where=str(path), do="Remove it, or run the audit again.")
    return log


def _optional(path: Path) -> bytes | None:
    try:
        return path.read_bytes() if path.is_file() else None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}.", where=str(path)) from None
