"""Per-sample results as tables for other tools: exposure, memorisation, correctness, one row per sample of the data
set.

A record's exposure reveals something about a person: these tables are as sensitive as the data.
"""

from __future__ import annotations

import io

import numpy as np

from probes.errors import DependencyError, InputError
from reports.formats.base import Format
from reports.per_sample import ID, columns, to_csv
from reports.report import Report


def parquet(report: Report) -> bytes:
    """A Parquet file: `sample` and one column for each per-sample number, with the audit's identity in its metadata.

    Raises InputError if the report has no per-sample results, DependencyError without pyarrow.
    """
    if not (named := columns(report)):
        raise InputError(
            "has no per-sample results.",
            where=str(report.model.get("name", "the report")),
            do="Keep samples.csv beside results.json; a report that was shared without it has none.",
        )
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise DependencyError("Parquet needs pyarrow.", do="pip install 'transfer-audit[parquet]'") from None
    length = len(next(iter(named.values())))
    ids = {ID: np.array(report.ids)} if report.ids else {}
    arrays = {"sample": np.arange(length), **ids, **named}
    table = pa.table({name: pa.array(column) for name, column in arrays.items()})
    identity = {
        "transfer-audit.version": report.version,
        "transfer-audit.model": str(report.model.get("digest", "")),
        "transfer-audit.data": str(report.data.get("fingerprint", "")),
    }
    buffer = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(identity), buffer, compression="zstd")
    return buffer.getvalue()


PARQUET = Format(
    file="samples.parquet", render=lambda report, style: {"samples.parquet": parquet(report)}, per_sample=True
)
CSV = Format.of_text("samples.csv", lambda report, style: to_csv(report), per_sample=True)
