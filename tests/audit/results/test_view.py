"""The site over HTTP, and in a real browser if there is one: pages, links, search and filters, and nothing else."""

from __future__ import annotations

import http.client
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit.results.view import pages_of, server
from probes.errors import InputError
from reports import archive, per_sample
from tests.reports.browser import CHROMIUM, FLAGS, needs_browser
from tests.reports.sample import HOSTILE, sample


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audits")
    for day, (name, gap, label) in enumerate((("first", 0.02, "three"), ("second", 0.3, HOSTILE)), start=1):
        report = sample(gap, label)
        (folder / name).mkdir()
        (folder / name / "results.json").write_text(archive.dump(report), encoding="utf-8")
        (folder / name / "samples.csv").write_text(per_sample.to_csv(report), encoding="utf-8")
        (folder / name / "run.json").write_text(json.dumps({"finished": f"2026-01-0{day}T00:00:00+00:00"}))
    return folder


@pytest.fixture(scope="module")
def port(folder: Path) -> Iterator[int]:
    with server(pages_of(folder, lang="en", thumbnails=True), 0) as serving:
        thread = threading.Thread(target=serving.serve_forever, daemon=True)
        thread.start()
        yield serving.server_address[1]
        serving.shutdown()
        thread.join()


def get(port: int, path: str, host: str | None = None) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers={"Host": host or f"127.0.0.1:{port}"})
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def test_the_first_page_lists_every_audit_the_latest_first(port: int) -> None:
    status, text = get(port, "/")
    assert status == 200
    assert text.index("second") < text.index(">first<")
    assert "/second/compare.html" in text
    assert "/first/compare.html" not in text


def test_every_link_leads_to_a_page_with_its_own_policy(port: int) -> None:
    links = set(re.findall(r'href="(/[^"#]*)"', get(port, "/")[1]))
    assert links >= {"/history.html", "/first/report.html", "/second/samples.html", "/second/compare.html"}
    for link in links:
        status, text = get(port, link)
        assert status == 200, link
        assert "Content-Security-Policy" in text
        assert "<script>alert" not in text


@pytest.mark.parametrize(
    "path", ["/../../etc/passwd", "/first/results.json", "//etc/passwd", "/%2e%2e/etc/passwd", "/no"]
)
def test_no_file_of_the_disk_is_served(path: str, port: int) -> None:
    assert get(port, path)[0] == 404


def test_another_name_that_leads_here_is_refused(port: int) -> None:
    assert get(port, "/", host="attacker.example:80")[0] == 403
    assert get(port, "/", host=f"localhost:{port}")[0] == 200


def test_a_port_that_is_taken_is_one_line(port: int) -> None:
    with pytest.raises(InputError, match=f"port {port}: cannot be listened on"):
        server({}, port)


def test_a_folder_that_is_itself_an_audit_opens(folder: Path) -> None:
    assert "/samples" in " ".join(pages_of(folder / "first", lang="zh", thumbnails=False))


@needs_browser
def test_search_and_filters_narrow_the_samples_in_a_browser(port: int) -> None:
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.goto(f"http://127.0.0.1:{port}/")
        page.click("text=samples >> nth=0")
        rows = page.locator("tbody tr:visible")
        expect(rows).to_have_count(3)
        page.fill("input[data-filter='1']", ">0.9")
        expect(rows).to_have_count(1)
        page.fill("input[data-filter='1']", "<0.9")
        expect(rows).to_have_count(1)
        page.fill("input[data-filter='1']", "")
        page.fill("#s", "nothing at all")
        expect(rows).to_have_count(0)
        expect(page.locator("output")).to_have_text("0 / 3")
        # The comparison's columns fit on a narrow screen, so that none is hidden behind the edge.
        page.set_viewport_size({"width": 820, "height": 1000})
        page.goto(f"http://127.0.0.1:{port}/second/compare.html")
        fits = "(table) => table.scrollWidth <= table.parentElement.clientWidth"
        assert page.locator("table.differences >> nth=0").evaluate(fits)
        browser.close()
    assert not [one for one in complaints if "favicon" not in one and "404" not in one]
