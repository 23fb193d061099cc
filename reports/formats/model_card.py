"""A Hugging Face model card: `model-index` metadata (what the Hub's leaderboards read) and a section on the audit.

A card is public, so it does not mention single samples.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from probes.result import Estimate, Result
from reports.document.outline import outline
from reports.formats.base import Format
from reports.formats.markdown import checks_table, escape
from reports.report import Report
from reports.wording.numbers import harmless, slug

TASKS: Mapping[str, tuple[str, str]] = {
    "image": ("image-classification", "Image Classification"),
    "table": ("tabular-classification", "Tabular Classification"),
    "text": ("text-classification", "Text Classification"),
    "audio": ("audio-classification", "Audio Classification"),
}
"""The Hub's task ids, by the data's modality."""
HUB_METRICS: Mapping[str, str] = {"checkpoint.held_out_accuracy": "accuracy"}
"""Estimates for which the Hub has a metric; the others keep their own names."""


def render(report: Report, *, lang: str = "en") -> str:
    """The text of a README.md: metadata between dashes, then the section. Merge it into the existing card."""
    return f"---\n{_yaml(metadata(report))}---\n\n{section(report, lang=lang)}"


def metadata(report: Report) -> dict[str, Any]:
    """The card's `model-index`: held-out accuracy and what the gate judged, each with its interval as arguments."""
    name = harmless(report.model.get("name", "model"))
    task, title = TASKS.get(str(report.data.get("modality", "image")), TASKS["image"])
    data = harmless(report.data.get("name", "data"))
    dataset = {"type": slug(data), "name": data, "split": "held-out"}
    metrics = [_metric(probe, estimate) for probe, estimate in _shown(report)]
    result = {"task": {"type": task, "name": title}, "dataset": dataset, "metrics": metrics}
    return {"tags": [harmless(report.tool)], "model-index": [{"name": name, "results": [result] if metrics else []}]}


def _shown(report: Report) -> Iterator[tuple[str, Estimate]]:
    judged = {(check.probe, check.estimate) for check in report.verdict.checks}
    for result in report.results:
        for estimate in result.estimates if isinstance(result, Result) else ():
            wanted = (result.probe, estimate.name) in judged or estimate.name in HUB_METRICS
            if wanted and math.isfinite(estimate.value):
                yield result.probe, estimate


def _metric(probe: str, estimate: Estimate) -> dict[str, object]:
    own = harmless(f"{probe}.{estimate.name}")
    ends = {"low": estimate.low, "high": estimate.high}
    return {
        "type": HUB_METRICS.get(estimate.name, own),
        "name": own,
        "value": _rounded(estimate.value),
        "args": {name: _rounded(end) for name, end in ends.items() if math.isfinite(end)}
        | {"level": estimate.level, "n": estimate.n, "unit": harmless(estimate.unit)},
    }


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def section(report: Report, *, lang: str = "en") -> str:
    """The verdict, one line per risk, the checks, and their limits, as Markdown."""
    document = outline(report, lang)
    say = document.words
    told = ((risk, " ".join(filter(None, (risk.what, risk.also)))) for risk in document.risks)
    risks = [f"- **{escape(risk.title)}** ({say('status', risk.status)}): {escape(text)}" for risk, text in told]
    facts = ", ".join(f"{escape(key).lower()} {escape(value)}" for key, value in document.facts)
    parts = [
        f"## {say('card', 'title')}",
        f"**{say('headline', document.status)}.** {escape(document.sentence)}",
        "\n".join(risks),
        checks_table(document),
        f"*{facts}. {escape(report.tool)} {escape(report.version)}.*",
        say("card", "limits"),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _yaml(value: object, depth: int = 0) -> str:
    """Block YAML; its scalars are JSON's, which YAML reads as they are."""
    pad = "  " * depth
    if isinstance(value, dict) and value:
        return "".join(f"{pad}{key}:{_below(item, depth)}" for key, item in value.items())
    if isinstance(value, list) and value:
        return "".join(f"{pad}- {_yaml(item, depth + 1).lstrip(' ')}" for item in value)
    return f"{pad}{json.dumps(value, ensure_ascii=False)}\n"


def _below(value: object, depth: int) -> str:
    nested = isinstance(value, dict | list) and value
    return f"\n{_yaml(value, depth + 1)}" if nested else f" {_yaml(value).lstrip(' ')}"


FORMAT = Format.of_text("model-card.md", lambda report, style: render(report, lang=style.lang))
