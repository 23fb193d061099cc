"""Per-sample results as tables for other tools: exposure, memorisation, correctness, a row a sample of the data set.

How exposed a record is says something about a person: these tables are as sensitive as the data they speak of.
"""

from __future__ import annotations

import io

import numpy as np

from probes.errors import DependencyError, InputError
from probes.result import Result
from reports.report import Report


def columns(report: Report) -> dict[str, np.ndarray]:
    """`probe.name` → one entry a sample. Raises InputError where there are none, or of different lengths."""
    found = {
        f"{result.probe}.{name}": np.asarray(column)
        for result in report.results
        if isinstance(result, Result)
        for name, column in result.per_sample.items()
    }
    if not found:
        raise InputError(
            "has no per-sample results.",
            where=str(report.model.get("name", "the report")),
            do="Keep samples.csv beside results.json; a report that was shared without it has none.",
        )
    if len({len(column) for column in found.values()}) > 1:
        raise InputError("per-sample columns have different lengths.", where="samples.csv")
    return found


def parquet(report: Report) -> bytes:
    """A Parquet file: `sample` and a column a per-sample number, with the audit's identity in its metadata.

    Raises InputError as `columns` does, DependencyError without pyarrow.
    """
    named = columns(report)
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise DependencyError("Parquet needs pyarrow.", do="pip install 'transfer-audit[parquet]'") from None
    length = len(next(iter(named.values())))
    arrays = {"sample": np.arange(length), **named}
    table = pa.table({name: pa.array(column) for name, column in arrays.items()})
    identity = {
        "transfer-audit.version": report.version,
        "transfer-audit.model": str(report.model.get("digest", "")),
        "transfer-audit.data": str(report.data.get("fingerprint", "")),
    }
    buffer = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(identity), buffer, compression="zstd")
    return buffer.getvalue()
