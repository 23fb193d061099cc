"""Texts with their words coloured, in the page; bold, in Markdown; as data, in the archive."""

from __future__ import annotations

import dataclasses
import json
import re
from importlib.resources import files

import jsonschema
import numpy as np
import pytest

from probes.result import Result, Sentence, Sentences
from reports.archive import ArchiveError, dump, load
from reports.formats import html, markdown
from reports.report import Report
from tests.reports.sample import HOSTILE, estimate, sample


def told(*words: str, weights: tuple[int, ...] = (127, -70, 3)) -> Report:
    row = Sentence(sample=3, title="spam, median", words=words, weights=np.array([weights, (0, 0, -127)], np.int8))
    figure = Sentences(
        name="sentences", title="The words", caption="Red is for.", headings=("source model", "audited"), rows=(row,)
    )
    drift = Result(
        probe="drift",
        params={},
        estimates=(estimate("checkpoint.drift_index", 0.3, 0.1),),
        figures=(figure,),
    )
    return dataclasses.replace(sample(), results=(drift,))


def test_words_are_coloured_by_what_they_weigh() -> None:
    page = html.render(told("prize", "tea", "now"))
    assert re.findall(r'<mark class="(\w+)">(\w+)</mark>', page) == [
        ("for4", "prize"), ("against2", "tea"), ("against4", "now"),
    ]  # fmt: skip


def test_words_are_bold_where_colours_are_not_to_be_had() -> None:
    text, _ = markdown.render(told("prize", "tea", "now"))
    assert "**prize** **tea** now" in text
    assert "prize tea **now**" in text


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_hostile_words_are_text(lang: str) -> None:
    report = told(HOSTILE, "</mark><img src=x>", "**|`")
    page = html.render(report, lang=lang)
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    text, _ = markdown.render(report, lang=lang)
    outside = re.sub(r"```.*?```", "", text, flags=re.S)
    assert "\u202e" not in page + outside
    assert "<script" not in outside
    assert "<img" not in outside
    assert "@you" not in outside


def test_texts_are_left_out_with_the_images() -> None:
    report = told("prize", "tea", "now")
    assert "prize" not in html.render(report, thumbnails=False)
    blind = report.without_pictures()
    assert "prize" not in dump(blind)
    assert "prize" not in markdown.render(blind)[0]


def test_they_come_back_whole_and_follow_the_schema() -> None:
    report = told("prize", "tea", "now")
    written = dump(report)
    schema = json.loads((files("reports") / "schema" / "results.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(json.loads(written), schema)
    again = load(written)
    assert dump(again) == written
    (found,) = again.results
    assert isinstance(found, Result)
    (figure,) = found.figures
    assert isinstance(figure, Sentences)
    assert figure.rows[0].words == ("prize", "tea", "now")
    assert figure.rows[0].weights.tolist() == [[127, -70, 3], [0, 0, -127]]


def test_a_strangers_file_with_weights_of_other_words_is_refused() -> None:
    content = json.loads(dump(told("prize", "tea", "now")))
    content["results"][0]["figures"][0]["rows"][0]["weights"][0].pop()
    with pytest.raises(ArchiveError, match="more or fewer weights than words"):
        load(json.dumps(content))
