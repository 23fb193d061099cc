"""The drawings of a report, kept between audits that give the same results."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from probes.errors import StoreError

if TYPE_CHECKING:
    from audit.storage.store import Store

KEPT = "drawings"


@contextmanager
def drawings_kept(store: Store, results: str, lang: str) -> Iterator[None]:
    """Within it, charts that were drawn for these results.json and language are read from the store's folder; new ones
    are written to it, if that is possible. Drawings are part of a page that a browser opens, so they are never taken
    from a remote that others can write."""
    from audit.storage.store import as_tensor, from_tensor  # imports torch
    from reports.formats import charts

    local = dataclasses.replace(store, remote=None)
    key = hashlib.sha256(f"{KEPT} {version('vl-convert-python')} {lang} {results}".encode()).hexdigest()
    entry = local.read(key, again="charts are drawn again", needs=[KEPT])
    drawings: dict[str, str] = {} if entry is None else from_tensor(entry[KEPT])
    before = len(drawings)
    with charts.kept(drawings):
        yield
    if len(drawings) > before:
        with contextlib.suppress(StoreError):  # the report is complete without it
            local.write(key, {KEPT: as_tensor(drawings)})
