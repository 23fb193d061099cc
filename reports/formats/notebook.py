"""A report in a notebook: the whole page in an isolated frame."""

from __future__ import annotations

from html import escape

from reports.formats.html import render
from reports.report import Report

HEIGHT = 640


def framed(report: Report) -> str:
    """The self-contained page, without images of samples, in a sandboxed frame: its script runs in a separate origin,
    so that untrusted names in it cannot reach the notebook."""
    page = escape(render(report, thumbnails=False), quote=True)
    return (
        f'<iframe sandbox="allow-scripts" title="transfer-audit" srcdoc="{page}" '
        f'style="width:100%;height:{HEIGHT}px;border:1px solid #d0d7de;border-radius:8px"></iframe>'
    )
