"""Where the source came from, as far as files state it: digest, format, licence, revision."""

from __future__ import annotations

from probes.evidence import Evidence
from probes.message import Message
from probes.partial_result import Part
from probes.result import Finding, Scalar, Table


def provenance(evidence: Evidence) -> Part:
    """Missing facts are reported; a format that can run code when opened elsewhere is a finding."""
    known = evidence.provenance
    if not known:
        return Part(notes=(Message("inheritance.no-provenance"),))
    columns: dict[str, list[Scalar]] = {
        "fact": list(known),
        "value": [value if value else "not said" for value in known.values()],
    }
    findings = []
    if known.get("runs code") == "yes":
        findings.append(
            Finding(
                code="inheritance.format-runs-code",
                severity="low",
                values={"file": known.get("file") or "?", "format": known.get("format") or "?"},
            )
        )
    missing = [name for name in ("sha256", "licence", "revision") if not known.get(name)]
    if missing:
        findings.append(
            Finding(
                code="inheritance.provenance-gaps",
                severity="info",
                values={"missing": tuple(Message("inheritance.fact", {"fact": name}) for name in missing)},
            )
        )
    table = Table(
        name="provenance",
        title=Message("inheritance.provenance.title"),
        caption=Message("inheritance.provenance.caption"),
        columns=columns,
    )
    return Part(findings=tuple(findings), figures=(table,))
