"""The clause annex: what this audit shows, and does not show, for clauses of laws, standards and guidance.

The texts are data, one file per framework under `clauses/`; numbers come from the report. Clauses that nothing here
addresses, or whose estimates this audit did not produce, are marked as such.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from probes.result import Chart, Estimate, Result, Table
from reports.formats.markdown import escape
from reports.report import Report
from reports.wording.catalogue import Words, words
from reports.wording.estimates import in_line

ORDER = ("eu-ai-act", "edpb-28-2024", "gdpr-35", "aisvs-1.0", "nist-ai-rmf", "iso", "sr-26-2", "pipl", "genai-cn")
"""In the order of the annex; a test checks that all files are listed."""


@dataclass(frozen=True, kw_only=True)
class Clause:
    """One clause: what it asks for in our words, what an audit shows for it, what it does not show, and the estimates.

    `estimates` are names as in the gate, `probe.scope.metric`; a trailing dot selects all with that prefix. `parts` are
    other parts of a pack that address it, each a name in PARTS.
    """

    ref: str
    asks: Mapping[str, str]
    shows: Mapping[str, str]
    lacks: Mapping[str, str]
    estimates: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()

    @property
    def covered(self) -> bool:
        return bool(self.shows)


@dataclass(frozen=True, kw_only=True)
class Framework:
    """`dated` is the text's date, `source` where it is published, `read` how much of it could be read for this
    annex."""

    id: str
    version: int
    title: Mapping[str, str]
    dated: str
    source: str
    read: Mapping[str, str]
    duties: Mapping[str, str]
    clauses: tuple[Clause, ...]


@cache
def frameworks() -> tuple[Framework, ...]:
    """All frameworks, read from the package."""
    return tuple(_read(name) for name in ORDER)


def _read(name: str) -> Framework:
    content = tomllib.loads((files("reports") / "evidence" / "clauses" / f"{name}.toml").read_text(encoding="utf-8"))
    clauses = tuple(
        Clause(
            ref=one["ref"],
            asks=one["asks"],
            shows=one.get("shows", {}),
            lacks=one["lacks"],
            estimates=tuple(one.get("estimates", ())),
            parts=tuple(one.get("parts", ())),
        )
        for one in content["clause"]
    )
    fields = {key: content[key] for key in ("id", "version", "title", "dated", "source", "read")}
    return Framework(**fields, duties=content.get("duties", {}), clauses=clauses)


def produced(clause: Clause, report: Report) -> list[tuple[str, Estimate]]:
    """This audit's estimates among those that the clause names."""
    found = []
    for result in report.results:
        for one in result.estimates if isinstance(result, Result) else ():
            name = f"{result.probe}.{one.name}"
            if any(name == wanted or (wanted.endswith(".") and name.startswith(wanted)) for wanted in clause.estimates):
                found.append((result.probe, one))
    return found


def _has_groups(report: Report) -> bool:
    figures = [one for result in report.results if isinstance(result, Result) for one in result.figures]
    return any("group" in one.columns for one in figures if isinstance(one, Chart | Table))


PARTS: Mapping[str, Callable[[Report], bool]] = {
    "recipe": lambda report: bool(report.model.get("recipe") or report.model.get("trainer")),
    "data": lambda report: bool(report.data.get("fingerprint")),
    "thresholds": lambda report: bool(report.verdict.checks),
    "log": lambda report: True,
    "bill": lambda report: True,
    "signature": lambda report: True,
    "comparison": lambda report: report.comparison is not None,
    "remedies": lambda report: bool(report.audit.get("remedies")),
    "groups": _has_groups,
    "selfcheck": lambda report: bool(report.audit.get("selfcheck")),
}
"""The parts of a pack besides estimates, and whether this report's pack has them."""


def present(clause: Clause, report: Report) -> list[str]:
    """The clause's parts that exist."""
    return [part for part in clause.parts if PARTS[part](report)]


def answered(clause: Clause, report: Report) -> bool:
    """Whether this audit covers the clause."""
    return clause.covered and bool(present(clause, report) or produced(clause, report))


def markdown(report: Report, lang: str) -> str:
    """One table per framework, in one language."""
    say = words(lang)
    parts = [f"# {say('annex', 'title')}", say("annex", "preface"), say("evidence", "no_conformity")]
    for one in frameworks():
        parts += _framework(one, report, say)
    return "\n\n".join(part for part in parts if part) + "\n"


def _framework(one: Framework, report: Report, say: Words) -> list[str]:
    heads = [say("annex", key) for key in ("clause", "asks", "shows", "lacks", "estimates")]
    rows = [heads, ["---"] * len(heads), *(_row(clause, report, say) for clause in one.clauses)]
    return [
        f"## {escape(_in(one.title, say))}",
        say("annex", "source", dated=one.dated, source=one.source, version=one.version),
        escape(_in(one.read, say)),
        escape(_in(one.duties, say)),
        "\n".join(f"| {' | '.join(row)} |" for row in rows),
    ]


def _row(clause: Clause, report: Report, say: Words) -> tuple[str, ...]:
    lacks = escape(_in(clause.lacks, say))
    if not clause.covered:
        return escape(clause.ref), escape(_in(clause.asks, say)), say("annex", "not_covered"), lacks, "–"
    shows = escape(_in(clause.shows, say))
    if not answered(clause, report):
        shows = f"{say('annex', 'not_here')} {shows}"
    return escape(clause.ref), escape(_in(clause.asks, say)), shows, lacks, _shown(clause, report, say)


MOST = 6
"""Largest number of estimates per cell."""


def _shown(clause: Clause, report: Report, say: Words) -> str:
    found = produced(clause, report)
    told = [f"{escape(say.title(one, probe))}: {escape(in_line(one, say))}" for probe, one in found[:MOST]]
    if len(found) > MOST:
        told.append(say("ui", "more", count=len(found) - MOST))
    told += [escape(say("annex", f"part_{part}")) for part in present(clause, report)]
    return "<br>".join(told) or "–"


def _in(texts: Mapping[str, str], say: Words) -> str:
    return str(texts.get(say.lang) or texts.get("en", ""))


def as_data(report: Report) -> dict[str, object]:
    """The annex for machines, both languages, with the estimates that this audit produced."""
    return {"frameworks": [_data(one, report) for one in frameworks()]}


def _data(one: Framework, report: Report) -> dict[str, object]:
    return {
        "id": one.id,
        "version": one.version,
        "title": dict(one.title),
        "dated": one.dated,
        "source": one.source,
        "read": dict(one.read),
        "clauses": list(_clauses(one, report)),
    }


def _clauses(one: Framework, report: Report) -> Iterator[dict[str, object]]:
    from reports.archive import estimate_json

    for clause in one.clauses:
        yield {
            "ref": clause.ref,
            "asks": dict(clause.asks),
            "covered": clause.covered,
            "answered_here": answered(clause, report),
            "shows": dict(clause.shows),
            "does_not_show": dict(clause.lacks),
            "parts": present(clause, report),
            "estimates": [{"probe": probe, **estimate_json(probe, found)} for probe, found in produced(clause, report)],
        }
