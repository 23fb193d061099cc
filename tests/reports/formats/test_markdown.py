from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path

import pytest

from probes.result import Failure
from reports.formats import markdown
from tests.reports.sample import HOSTILE, chart, sample

GOLDEN = Path(__file__).parents[1] / "golden"


def test_opens_with_the_verdict_and_links_every_figure_it_gives() -> None:
    text, files = markdown.render(sample())
    assert text.splitlines()[0].startswith("# ❌")
    assert "1 of 1 checks is beyond" in text
    linked = set(re.findall(r"\]\((figures/[^)]+)\)", text))
    assert linked == set(files)
    assert linked
    assert all(content.startswith(b"<svg") for content in files.values())


@pytest.mark.parametrize(("gap", "word"), [(0.3, "Fail"), (0.1, "Undecided"), (0.02, "Pass")])
def test_every_verdict_is_a_sentence(gap: float, word: str) -> None:
    assert f" {word}: Audit of" in markdown.summary(sample(gap)).splitlines()[0]


def test_a_title_that_asks_has_no_full_stop_behind_it() -> None:
    report = sample()
    asking = dataclasses.replace(report.results[0], figures=(chart("own", "Does it?"),))
    text, _ = markdown.render(dataclasses.replace(report, results=(asking,)))
    assert "*Does it?* Caption." in text


def test_hostile_strings_are_text() -> None:
    text, _ = markdown.render(sample(label=HOSTILE))
    outside = re.sub(r"```.*?```", "", text, flags=re.S)
    assert "<script" not in outside
    assert "\u202e" not in outside
    assert not re.search(r"(?<!\\)\]\(http", outside)
    assert "@you" not in outside
    assert len(text) < 65_535


def test_recipe_cannot_break_out_of_its_fence() -> None:
    text, _ = markdown.render(sample(label="``` \n# out"))
    fences = re.findall(r"^`{3,}", text, flags=re.M)
    assert len(fences) == 2
    assert fences[0] == fences[1]
    assert len(fences[0]) > 3


def test_summary_fits_a_check_run() -> None:
    assert len(markdown.summary(sample(label=HOSTILE))) <= 65_535
    assert len(markdown.summary(sample(), limit=200)) <= 200


def test_a_failed_probe_is_said() -> None:
    assert "broken by three" in markdown.render(sample(failed=True))[0]


def test_a_strangers_probe_asks_no_question() -> None:
    failed = Failure(probe="stranger", error="ValueError", message="broke")
    text, _ = markdown.render(dataclasses.replace(sample(), results=(failed,)))
    assert "**" not in text.splitlines()


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize(("name", "gap"), [("fail", 0.3), ("undecided", 0.1), ("pass", 0.02)])
def test_golden(name: str, gap: float, lang: str) -> None:
    """To renew after a change that is meant: `GOLDEN=write pytest tests/reports`, then read the diff."""
    path = GOLDEN / f"{name}.{lang}.md"
    text, _ = markdown.render(sample(gap), lang=lang)
    if os.environ.get("GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text
