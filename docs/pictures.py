"""The image and the figures of the demo that the documents show, from its report: `make pictures`.

    python docs/pictures.py audit-demo

writes docs/images/demo-report.png, by Chromium, and docs/demo.json, which a test holds README and docs/reports.md to.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).parent
QUOTED = (
    "checkpoint.train_accuracy",
    "checkpoint.held_out_accuracy",
    "checkpoint.accuracy_gap",
    "recipe.accuracy_gap",
    "checkpoint.auc",
    "checkpoint.tpr_at_1pct_fpr",
    "recipe.auc",
    "recipe.tpr_at_1pct_fpr",
)
WIDTH, HEIGHT = 1280, 1750


def figures(results: Path) -> None:
    """The estimates that documents quote, each with the interval that the report shows."""
    from reports.archive import load
    from reports.document.gate_level import at_gate_level
    from reports.wording.catalogue import words
    from reports.wording.estimates import shown

    report = at_gate_level(load(results.read_text(encoding="utf-8")))
    say = words("en")
    found = {
        one.name: dict(zip(("value", "interval", "level"), shown(one, say), strict=True))
        for result in report.results
        for one in getattr(result, "estimates", ())
        if one.name in QUOTED
    }
    made = {"version": report.version, "verdict": report.verdict.status, "estimates": found}
    (HERE / "demo.json").write_text(
        json.dumps(made, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8"
    )


def picture(page: Path) -> None:
    from playwright.sync_api import sync_playwright

    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        view = opened.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        view.goto(page.resolve().as_uri())
        view.screenshot(path=str(HERE / "images" / "demo-report.png"))
        opened.close()


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "audit-demo")
    figures(folder / "results.json")
    picture(folder / "report.html")
