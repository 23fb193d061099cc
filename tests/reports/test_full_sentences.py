"""Every sentence of a report begins with a capital and ends with a full stop, in both languages."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from probes.texts import with_methods
from reports.archive import load
from reports.document.outline import outline
from reports.report import Report
from tests.reports.sample import full, sample

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden"
PARTS = ("claim", "how", "limits", "helps", "so_what", "question", "method")
END = re.compile(r"[.?!:。？！：][)”」]?$|[.。]\)$")
WORD = re.compile(r"[a-z]+(?=[ ,;])")
"""A first word in small letters; names such as lira-online, audit.toml and train.py:fit are left as they are."""
INNER = re.compile(r"[a-z)%][.?!] (?!lira|rmia)[a-z]+ ")


def wrong(text: str, lang: str) -> list[str]:
    """What is wrong with a text of one or more sentences."""
    found = [] if END.search(text) or text.endswith("}") else ["does not end"]
    if lang == "en" and WORD.match(text):
        found.append("begins in small letters")
    inner = [one for one in INNER.finditer(text) if not text[: one.end()].rsplit(" ", 2)[0].endswith(("e.g.", "i.e."))]
    if lang == "en" and inner:
        found.append(f"a sentence begins in small letters: {inner[0].group()}")
    return [f"{one}: {text}" for one in found]


def prose(report: Report, lang: str) -> Iterator[str]:
    told = outline(report, lang)
    yield from (told.sentence, told.decide, told.since, told.registered, *told.notes, *told.limits)
    for risk in told.risks:
        yield from (risk.what, risk.also, risk.so_what, risk.to_do)
    for check in told.checks:
        yield check.because
    for section in told.sections:
        yield from (section.question, *section.notes)
        for finding in section.findings:
            yield from (finding.claim, finding.how, finding.limits, finding.helps)
        for figure in section.figures:
            yield figure.caption


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("name", ["pass", "fail", "undecided", "sample", "full"])
def test_every_sentence_of_a_report_is_one(name: str, lang: str) -> None:
    made = {"sample": sample, "full": full}
    report = made[name]() if name in made else load((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    assert [one for text in prose(report, lang) if text for one in wrong(text, lang)] == []


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_sentence_of_a_probe_is_one(lang: str) -> None:
    said = []
    for path in sorted(ROOT.glob(f"probes/*/text/{lang}.toml")):
        texts = with_methods(tomllib.loads(path.read_text(encoding="utf-8")))
        for section in (*texts["probes"].values(), *texts["findings"].values()):
            said += [section[part] for part in PARTS if isinstance(section.get(part), str)]
        said += [text for code, text in texts.get("messages", {}).items() if code.endswith(".caption")]
    assert [one for text in said for one in wrong(text, lang)] == []
