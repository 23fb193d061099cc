"""Lossless conversion between a Report and results.json: what is read back equals what was written, bit for bit.

Numbers that are not finite are written as the strings "NaN", "Infinity", "-Infinity", images as base64. Nothing
depends on the clock or on the order of dictionaries, so identical audits give identical bytes.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from probes.errors import InputError
from probes.message import decoded, encoded
from probes.pairing import Pairing
from probes.result import (
    Axis,
    Chart,
    Estimate,
    Failure,
    Figure,
    Finding,
    Gallery,
    GalleryRow,
    Result,
    Sentence,
    Sentences,
    Table,
    one_sided,
)
from probes.texts import texts
from reports.legacy_attributes import BOUNDS, of_estimate, of_finding
from reports.message_table import read, written
from reports.report import Check, Comparison, Difference, Report, Verdict
from reports.validate import parse_json, validate

SCHEMA_VERSION = 1


class ArchiveError(InputError):
    """A results.json that cannot be read."""


def dump(report: Report) -> str:
    """The text of results.json.

    report  any

    Returns JSON text; equal reports give identical bytes. `load` reads it back.

    >>> from reports.example import example_report
    >>> load(dump(example_report())).verdict.status
    'pass'
    """
    content = {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": report.tool, "version": report.version},
        "model": report.model,
        "data": report.data,
        "audit": report.audit,
        "verdict": {**_plain(report.verdict), "checks": [_plain(check) for check in report.verdict.checks]},
        "results": [_result(result) for result in report.results],
    }
    if report.comparison is not None:
        content["comparison"] = _comparison(report.comparison)
    messages: dict[str, Any] = {}
    content = written(content, messages)
    if messages:
        content["messages"] = messages
    text = json.dumps(_ordered(_finite(content)), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    return text.encode("utf-8", "backslashreplace").decode()  # names of files may hold what UTF-8 cannot


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """As it stands in results.json."""
    plain: dict[str, Any] = _finite(written(_comparison(comparison), {}))
    return plain


def _comparison(comparison: Comparison) -> dict[str, Any]:
    differences = [{**_plain(one), "change": _open(one.change)} for one in comparison.differences]
    return {**_plain(comparison), "differences": differences}


def verdict_json(report: Report) -> dict[str, Any]:
    """The machine-readable summary: the verdict, its exit code, every check and finding; results.json has
    everything."""
    results = [result for result in report.results if isinstance(result, Result)]
    content = written(
        {
            "tool": {"name": report.tool, "version": report.version},
            "model": {key: report.model.get(key) for key in ("name", "architecture", "digest")},
            "status": report.verdict.status,
            "exit_code": report.verdict.exit_code,
            "checks": [_plain(check) for check in report.verdict.checks],
            "findings": [
                {"probe": result.probe, "code": one.code, "severity": one.severity, "claim": texts("en").claim(one)}
                for result in results
                for one in result.findings
            ],
            "worse_than_baseline": None
            if report.comparison is None
            else [f"{one.probe}.{one.estimate}" for one in report.comparison.where("worse")],
            "notes": list(report.verdict.notes),
        },
        {},
    )
    plain: dict[str, Any] = _finite(content)
    return plain


def estimate_json(probe: str, estimate: Estimate) -> dict[str, Any]:
    """As it stands in results.json."""
    return dict(_finite(written(_open(estimate, probe), {})))


def _open(estimate: Estimate, probe: str = "") -> dict[str, Any]:
    """The unknown end of a one-sided bound is null. Default values are omitted."""
    fields = _said(_plain(estimate), {**of_estimate(probe, estimate.name), "grown_by": None, "scope": ""})
    if isinstance(fields.get("pairing"), Pairing):
        fields["pairing"] = dataclasses.asdict(fields["pairing"])
    if estimate.bound is not None:
        fields["high" if estimate.bound == "lower" else "low"] = None
    return fields


def _ordered(content: Any) -> Any:
    """Keys sorted, except columns of figures, whose order matters to readers."""
    if isinstance(content, list):
        return [_ordered(one) for one in content]
    if not isinstance(content, dict):
        return content
    return {key: content[key] if key == "columns" else _ordered(content[key]) for key in sorted(content)}


def load(text: str, where: str = "results.json") -> Report:
    """The report in the text of a results.json.

    text   of a results.json
    where  its name, for messages

    Returns the report. Raises ArchiveError, saying what is wrong with the file.
    """
    content = parse_json(text, where, ArchiveError)
    version = content.get("schema_version") if isinstance(content, dict) else None
    if type(version) is not int or version != SCHEMA_VERSION:
        if version is None:
            raise ArchiveError("is not a results.json of transfer-audit.", where=where)
        raise ArchiveError(
            f"has schema_version {version}; this version of transfer-audit reads {SCHEMA_VERSION}.",
            where=where,
            do="Read it with the version that wrote it, or run the audit again.",
        )
    validate(content, where, ArchiveError)
    try:
        content = _infinite(content)
        messages = content.get("messages", {})
        for part in ("verdict", "results", "comparison"):
            if part in content:
                content[part] = read(content[part], messages)
        verdict = content["verdict"]
        return Report(
            tool=content["tool"]["name"],
            version=content["tool"]["version"],
            model=content["model"],
            data=content["data"],
            audit=content["audit"],
            results=tuple(_read_result(result) for result in content["results"]),
            verdict=Verdict(
                **{
                    **verdict,
                    "checks": tuple(Check(**check) for check in verdict["checks"]),
                    "notes": tuple(verdict["notes"]),
                }
            ),
            comparison=_read_comparison(content["comparison"]) if "comparison" in content else None,
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ArchiveError(f"has a missing or invalid part: {error}.", where=where) from None


def _read_comparison(content: dict[str, Any]) -> Comparison:
    differences = tuple(
        Difference(**{**one, "change": _read_estimate(one["change"])}) for one in content["differences"]
    )
    return Comparison(**{**content, "differences": differences, "notes": tuple(content["notes"])})


def _result(result: Result | Failure) -> dict[str, Any]:
    if isinstance(result, Failure):
        return {"probe": result.probe, "failure": {"error": result.error, "message": result.message}}
    return {
        "probe": result.probe,
        "params": dict(result.params),
        "estimates": [_open(estimate, result.probe) for estimate in result.estimates],
        "findings": [_finding(finding) for finding in result.findings],
        "figures": [_figure(figure) for figure in result.figures],
        "notes": list(result.notes),
        **({"examined": list(result.examined)} if result.examined else {}),
    }


def _read_result(content: dict[str, Any]) -> Result | Failure:
    if "failure" in content:
        return Failure(probe=content["probe"], **content["failure"])
    return Result(
        probe=content["probe"],
        params=content["params"],
        estimates=tuple(_read_estimate(estimate, content["probe"]) for estimate in content["estimates"]),
        findings=tuple(_read_finding(finding) for finding in content["findings"]),
        figures=tuple(_read_figure(figure) for figure in content["figures"]),
        notes=tuple(content["notes"]),
        examined=tuple(content.get("examined", ())),
    )


def _said(fields: dict[str, Any], unsaid: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in unsaid or value != unsaid[name]}


def _read_estimate(content: dict[str, Any], probe: str = "") -> Estimate:
    counts, bound = content.get("counts"), content.get("bound", BOUNDS.get(content["name"]))
    content = of_estimate(probe, content["name"]) | content
    if isinstance(content["pairing"], Mapping):
        content["pairing"] = Pairing(**{**content["pairing"], "columns": tuple(content["pairing"]["columns"])})
    ends = dict(zip(("low", "high"), one_sided(content["value"], bound), strict=True)) if bound else {}
    return Estimate(**{**content, **ends, "bound": bound, "counts": None if counts is None else (counts[0], counts[1])})


def _finding(finding: Finding) -> dict[str, Any]:
    values = {name: encoded(value) for name, value in finding.values.items()}
    said = _said(_plain(finding), of_finding(finding.code))
    return {**said, "claim": texts("en").claim(finding), "values": values}


def _read_finding(content: dict[str, Any]) -> Finding:
    """The claim is kept if its template would say something else: it comes from another version or a third-party
    probe."""
    values = {name: decoded(value) for name, value in content.get("values", {}).items()}
    lists = {name: tuple(content[name]) for name in ("because", "samples")}
    finding = Finding(**{**of_finding(content["code"]), **content, **lists, "values": values, "claim": ""})
    said = content["claim"]
    return finding if texts("en").claim(finding) == said else dataclasses.replace(finding, claim=said)


def _figure(figure: Figure) -> dict[str, Any]:
    if isinstance(figure, Gallery):
        rows = [
            {"sample": row.sample, "title": row.title, "pictures": [_picture(picture) for picture in row.pictures]}
            for row in figure.rows
        ]
        return {"kind": "gallery", **_plain(figure), "rows": rows}
    if isinstance(figure, Sentences):
        texts_of = [
            {"sample": row.sample, "title": row.title, "words": list(row.words), "weights": row.weights.tolist()}
            for row in figure.rows
        ]
        return {"kind": "sentences", **_plain(figure), "rows": texts_of}
    kind = "chart" if isinstance(figure, Chart) else "table"
    return {"kind": kind, **_plain(figure)}


def _read_figure(content: dict[str, Any]) -> Figure:
    kind, fields = content["kind"], {name: value for name, value in content.items() if name != "kind"}
    if kind == "table":
        return Table(**fields)
    if kind == "chart":
        return Chart(**{**fields, "x": Axis(**fields["x"]), "y": Axis(**fields["y"])})
    if kind == "sentences":
        return Sentences(
            **{**fields, "headings": tuple(fields["headings"]), "rows": tuple(_sentence(row) for row in fields["rows"])}
        )
    rows = tuple(
        GalleryRow(sample=row["sample"], title=row["title"], pictures=tuple(_array(p) for p in row["pictures"]))
        for row in fields["rows"]
    )
    return Gallery(**{**fields, "headings": tuple(fields["headings"]), "rows": rows})


def _sentence(row: dict[str, Any]) -> Sentence:
    weights = np.array(row["weights"], dtype=np.int64).reshape(-1, len(row["words"]))
    if (np.abs(weights) > 127).any():
        raise ValueError("a weight beyond 127")
    return Sentence(
        sample=row["sample"], title=row["title"], words=tuple(map(str, row["words"])), weights=weights.astype(np.int8)
    )


def _picture(picture: np.ndarray) -> dict[str, Any]:
    data = base64.b64encode(np.ascontiguousarray(picture).tobytes()).decode("ascii")
    return {"dtype": picture.dtype.name, "shape": list(picture.shape), "base64": data}


def _array(content: dict[str, Any]) -> np.ndarray:
    if content["dtype"] not in ("uint8", "int8"):
        raise ValueError(f"an image of type {content['dtype']}")
    flat = np.frombuffer(base64.b64decode(content["base64"], validate=True), dtype=content["dtype"])
    return flat.reshape(content["shape"])


def _plain(value: Any) -> dict[str, Any]:
    """The fields of a dataclass, one level deep except for axes; `_figure` handles images."""
    fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return {
        name: dataclasses.asdict(item) if isinstance(item, Axis) else item
        for name, item in fields.items()
        if name != "rows" and not (name == "title" and item is None)
    }


def _finite(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {str(name): _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_finite(item) for item in value]
    return value


def _infinite(value: Any) -> Any:
    if isinstance(value, str) and value in ("NaN", "Infinity", "-Infinity"):
        return float(value)
    if isinstance(value, dict):
        return {name: _infinite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_infinite(item) for item in value]
    return value
