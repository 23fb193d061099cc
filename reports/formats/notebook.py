"""A report in a notebook: the whole page in a frame that can reach nothing around it."""

from __future__ import annotations

from html import escape

from reports.report import Report

HEIGHT = 640


def framed(report: Report) -> str:
    """The self-contained page, without pictures of samples, in a sandboxed frame: its script runs in an origin of its
    own, so that nothing in it (names that a stranger chose) reaches the notebook."""
    from reports.formats.html import render

    page = escape(render(report, thumbnails=False), quote=True)
    return (
        f'<iframe sandbox="allow-scripts" title="transfer-audit" srcdoc="{page}" '
        f'style="width:100%;height:{HEIGHT}px;border:1px solid #d0d7de;border-radius:8px"></iframe>'
    )


def said(report: Report) -> str:
    """One line: the model, the verdict, and how many checks stand how."""
    from reports.wording.numbers import harmless

    counts: dict[str, int] = {}
    for check in report.verdict.checks:
        counts[check.status] = counts.get(check.status, 0) + 1
    checks = ", ".join(f"{count} {status}" for status, count in sorted(counts.items())) or "no checks"
    return f"<Report of {harmless(report.model.get('name', 'a model'))}: {report.verdict.status} ({checks})>"
