"""Ten questions of a data-protection officer, answered from the page alone, each in its place."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from lxml import html as lxml_html

from probes.membership import Membership
from reports.formats import html
from reports.report import Report
from tests.probes.membership.worlds import World
from tests.reports.sample import full

Page = Mapping[str, str]


@pytest.fixture(scope="module")
def page() -> Page:
    """The text of each part of a leaking model's page, by its id; tables and figures by their title."""
    leakage = Membership(persons=True)(World(leak=4, seed=3, repeats=2, groups=2).evidence(), np.random.default_rng(0))
    base = full()
    cost = {"finished": "2026-11-28T12:00:00+00:00", "by": "a validator", "commit": "a" * 40}
    model = {**base.model, "digest": "b" * 64}
    results = tuple(leakage if one.probe == "membership" else one for one in base.results)
    report: Report = dataclasses.replace(base, results=results, cost=cost, model=model)
    tree = lxml_html.fromstring(html.render(report))
    parts = {part.get("aria-labelledby"): _text(part) for part in tree.xpath("//section")}
    parts |= {_text(caption): _text(caption.getparent()) for caption in tree.xpath("//figcaption")}
    parts |= {"top": _text(tree.xpath("//header")[0])}
    return parts


def _text(element) -> str:  # type: ignore[no-untyped-def]
    return " ".join(element.text_content().split())


QUESTIONS: Mapping[str, tuple[str, str]] = {
    "Can somebody tell whose record trained it?": (
        "risks",
        r"Leakage.+An attacker can tell this model's members from non-members",
    ),
    "Who can?": ("Which attackers can tell who is a member", r"any user who sees confidences"),
    "What do they need?": (
        "Which attackers can tell who is a member",
        r"data like the training data, and the time to train",
    ),
    "How many records are singled out?": (
        "How many members are singled out, and how credible an accusation is",
        r"\d+ of 60",
    ),
    "How certain is an accusation where few were members?": (
        "How many members are singled out, and how credible an accusation is",
        r"1 in 1000",
    ),
    "Which records are they?": ("The most exposed members", r"sample"),
    "Which group is hit hardest?": ("membership-title", r"AUC of the strongest attack on the most exposed group"),
    "Is anything known about single persons?": (
        "membership-title",
        r"Nothing is reported per person: 0 persons are in the training data",
    ),
    "What helps?": ("risks", r"What to do .*(DP-SGD|augmentation)"),
    "What does passing not mean?": ("limits", r"does not make data anonymous.+any law, standard or contract"),
    "Which model, when, by whom?": ("top", r"Model digest ?bbbbbbbbbbbb.+2026-11-28.+a validator"),
}


def test_the_documentation_lists_them_with_their_places() -> None:
    told = (Path(__file__).parents[2] / "docs" / "evidence.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| (.+\?) \| (.+) \|$", told, re.M))
    assert list(rows) == list(QUESTIONS)
    for (place, _), row, before in zip(QUESTIONS.values(), rows.values(), ["", *rows.values()], strict=False):
        assert place in f"{row} {before if row.startswith('the same') else ''}" or "-" in place or place.islower()


@pytest.mark.parametrize("question", QUESTIONS)
def test_it_is_answered_on_the_page(question: str, page: Page) -> None:
    place, says = QUESTIONS[question]
    assert place in page, sorted(page)
    assert re.search(says, page[place]), page[place][:1500]
