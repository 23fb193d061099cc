"""The cost of opening a report: bytes, seconds until a headless Chromium has rendered it, requests, width on a phone.

    python benchmarks/report_load.py report/report.html other.html

Ratios between the pages of one run; Chromium is found through the PATH. docs/reports.md says how the other tools' pages
were made.
"""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
PHONE = 360
DRAWN = "new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)))"


def measure(browser: Browser, path: Path) -> dict[str, Any]:
    """Bytes, seconds to load and render, elements, requests besides the file, and the scroll width at a page width of
    360 px."""
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    began = time.monotonic()
    page.goto(path.resolve().as_uri(), wait_until="load", timeout=300_000)
    page.evaluate(DRAWN)
    seconds = time.monotonic() - began
    elements = page.evaluate("document.querySelectorAll('*').length")
    page.set_viewport_size({"width": PHONE, "height": 800})
    page.wait_for_timeout(1500)
    wide = page.evaluate("document.documentElement.scrollWidth")
    page.close()
    return {
        "MB": path.stat().st_size / 1e6,
        "seconds": seconds,
        "elements": elements,
        "requests": sum(not url.startswith(("file:", "data:", "blob:")) for url in asked),
        "width at 360 px": wide,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="+", type=Path)
    pages = parser.parse_args().pages
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        found = {path: measure(browser, path) for path in pages}
        browser.close()
    first = found[pages[0]]
    for path, row in found.items():
        ratios = f"{row['MB'] / first['MB']:.1f} × the bytes, {row['seconds'] / first['seconds']:.1f} × the time"
        print(f"{path}: {', '.join(f'{name} {value:.3g}' for name, value in row.items())}; {ratios}")


if __name__ == "__main__":
    main()
