"""The page in a real browser; without Chromium these tests are skipped."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest

from reports.formats import html
from tests.reports.browser import CHROMIUM, FLAGS, needs_browser
from tests.reports.sample import HOSTILE, full, sample


class Page:
    """A rendered report, opened, with what the browser complained of."""

    def __init__(self, page, complaints: list[str], requests: list[str]) -> None:  # type: ignore[no-untyped-def]
        self.page, self.complaints, self.requests = page, complaints, requests


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    from playwright.sync_api import sync_playwright

    os.environ.setdefault("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield found
        found.close()


def opened(browser, tmp_path: Path, text: str, **options: object) -> Page:  # type: ignore[no-untyped-def]
    path = tmp_path / "report.html"
    path.write_text(text, encoding="utf-8")
    page = browser.new_page(**options)
    complaints: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(f"dialog {dialog.message}"))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(path.as_uri())
    return Page(page, complaints, requests)


def fetched(page: Page) -> list[str]:
    """Requests for anything but the file itself and the images inside it."""
    return [url for url in page.requests if not url.startswith(("file:", "data:"))]


@needs_browser
def test_opens_without_complaint_or_request(browser, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    page = opened(browser, tmp_path, html.render(sample()))
    assert page.complaints == []
    assert fetched(page) == []
    assert page.page.locator(".plot svg").count() == 3
    assert page.page.locator(".gallery img").count() == 3
    assert page.page.locator("h1").inner_text() == "Fail"


@needs_browser
def test_tables_sort_by_number_and_search(browser, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    page = opened(browser, tmp_path, html.render(sample())).page
    table = page.locator("figure.wide table.sortable").first
    first_column = lambda: table.locator("tbody tr td:first-child").all_inner_texts()  # noqa: E731
    table.locator("th button").first.click()
    assert first_column() == sorted(first_column(), key=int)
    assert len(first_column()) == 8
    table.locator("th button").first.click()
    assert first_column() == sorted(first_column(), key=int, reverse=True)
    page.locator(".search input").first.fill("three")
    assert table.locator("tbody tr:visible").count() == 1


@needs_browser
def test_charts_say_their_values_and_enlarge(browser, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    opened_page = opened(browser, tmp_path, html.render(sample()))
    page = opened_page.page
    page.locator(".plot svg .mark-rect path").first.hover()
    assert "samples" in page.locator("#tip").inner_text()
    page.locator(".enlarge").first.click()
    drawn = page.locator("dialog[open] .stage svg")
    whole = drawn.get_attribute("viewBox")
    page.locator("dialog [data-zoom=in]").click()
    assert drawn.get_attribute("viewBox") != whole
    page.locator("dialog [data-zoom=reset]").click()
    assert drawn.get_attribute("viewBox") == whole
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0
    assert opened_page.complaints == []


@needs_browser
def test_hostile_strings_do_no_harm(browser, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    page = opened(browser, tmp_path, html.render(sample(label=HOSTILE)))
    assert page.complaints == []
    assert fetched(page) == []
    assert page.page.locator("script").count() == 1
    assert page.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_an_option_and_its_value_stay_on_one_line() -> None:
    commands = re.findall(r'<code class="command">(.*?)</code>', html.render(full()))
    parts = [re.findall("<span>(.*?)</span>", command) for command in commands]
    assert any(part.startswith("--try ") for command in parts for part in command)
    # One long line would run off a narrow page.
    assert all(" -" not in part for command in parts for part in command)


@needs_browser
@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("可试 --set probes.membership.repeats=32。", ["--set probes.membership.repeats=32"]),
        ("(--weights KEY audits it)", ["--weights KEY"]),
        ("with another --seed, or --trust-code.", ["--seed", "--trust-code"]),
        ("<b> & a -- dash", []),
    ],
)
def test_an_option_within_a_sentence_stays_on_one_line_and_all_else_is_escaped(text: str, kept: list[str]) -> None:
    shown = str(html._with_options(text))
    assert re.findall('<span class="option">(.*?)</span>', shown) == kept
    assert unescape(re.sub("</?span[^>]*>", "", shown)) == text


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_nothing_runs_off_the_page(browser, tmp_path: Path, lang: str) -> None:  # type: ignore[no-untyped-def]
    """On a telephone, a tablet and a desk: no scrolling sideways, and no letter of a chart outside its frame."""
    page = opened(browser, tmp_path, html.render(full(), lang=lang)).page
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    page.evaluate(
        "document.querySelectorAll('.checks td:nth-child(5)')"
        ".forEach((n) => { n.textContent = '64\u202f000 held-out samples'; })"
    )
    for width in (360, 768, 1000, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(OUTSIDE) == []
        assert page.locator("table.checks").evaluate("(one) => one.scrollWidth <= one.parentElement.clientWidth")


OUTSIDE = """() => [...document.querySelectorAll('figure .plot svg text')].filter((text) => {
    const letters = text.getBoundingClientRect(), frame = text.closest('figure').getBoundingClientRect();
    return letters.left < frame.left - 1 || letters.right > frame.right + 1;
}).map((text) => text.textContent)"""


@needs_browser
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_summary_is_one_printed_page(browser, tmp_path: Path, lang: str) -> None:  # type: ignore[no-untyped-def]
    """Verdict, risks and checks on A4 minus its margins, 184 by 268 mm at 96 pixels an inch."""
    width, height = 695, 1013
    page = opened(browser, tmp_path, html.render(full(), lang=lang), viewport={"width": width, "height": height}).page
    page.emulate_media(media="print")
    assert page.locator("table.checks").evaluate("(one) => one.getBoundingClientRect().bottom + scrollY") <= height
    assert page.locator("table.checks").evaluate("(one) => one.scrollWidth") <= width


@needs_browser
@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_axe_finds_nothing(browser, tmp_path: Path, scheme: str) -> None:  # type: ignore[no-untyped-def]
    """No violation at all, with everything unfolded; in the dark only colours differ."""
    axe = pytest.importorskip("axe_core_python", reason="axe-core-python is not installed: no accessibility check")
    page = opened(browser, tmp_path, html.render(full()), color_scheme=scheme).page
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    page.evaluate((Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    rules = {"runOnly": ["color-contrast"]} if scheme == "dark" else {}
    found = page.evaluate("(rules) => axe.run(rules)", rules)
    assert found["passes"]
    assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found["violations"]] == []


@needs_browser
def test_the_keyboard_reaches_and_works_everything(browser, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    page = opened(browser, tmp_path, html.render(sample())).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.locator("table.sortable th button").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("table.sortable th[aria-sort=ascending]").count() == 1
    page.locator(".enlarge").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("dialog[open]").count() == 1


@needs_browser
def test_chinese_page(browser, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    page = opened(browser, tmp_path, html.render(sample(), lang="zh"))
    assert page.page.locator("h1").inner_text() == "不通过"
    assert page.page.evaluate("document.documentElement.lang") == "zh-Hans"
    assert page.complaints == []


@needs_browser
def test_the_policy_stops_a_planted_script(browser, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    planted = html.render(sample()).replace("</body>", "<script>document.title = 'ran'</script></body>")
    page = opened(browser, tmp_path, planted)
    assert page.page.title() != "ran"
    assert any("Content Security Policy" in line for line in page.complaints)


def test_policy_allows_no_unsafe_script() -> None:
    policy = html.policy("style", "script")
    scripts = next(part for part in policy.split(";") if part.strip().startswith("script-src"))
    assert "unsafe" not in scripts
    assert "default-src 'none'" in policy


def test_no_images_where_thumbnails_are_off() -> None:
    assert "data:image/png" in html.render(sample())
    assert "data:image/png" not in html.render(sample(), thumbnails=False)


def test_hostile_strings_are_escaped() -> None:
    text = html.render(dataclasses.replace(sample(label=HOSTILE), tool="other\u202e tool"))
    assert "<script>alert" not in text
    assert "\u202e" not in text


def test_a_failed_probe_and_every_verdict_render() -> None:
    assert "broken by three" in html.render(sample(failed=True))
    for gap, word in ((0.3, "Fail"), (0.1, "Undecided"), (0.02, "Pass")):
        assert f'<span class="word">{word}</span>' in html.render(sample(gap))


def test_what_is_left_out_is_said_and_the_size_is_bounded() -> None:
    text = html.render(full())
    assert "Shown: 300 of 400." in text
    assert "Shown: 24 of 40." in text
    assert len(text) < 1_000_000


def test_cost_and_provenance_are_in_the_appendix() -> None:
    text = html.render(full())
    for shown in ("cost: seconds", "61.5", "data: fingerprint", "probe: membership"):
        assert shown in text


def test_a_check_shows_where_its_threshold_lies() -> None:
    from reports.document.outline import outline

    gauges = {check.name: check.gauge for check in outline(full()).checks}
    failing = gauges["membership recipe.auc"]
    assert failing is not None
    assert failing.threshold < failing.low < failing.value < failing.high
    assert failing.allowed == (0.0, failing.threshold)
