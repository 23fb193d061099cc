"""Every form a report is written in, by the name that the command line knows it by: a pure function to files' bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from probes.errors import InputError, did_you_mean
from reports.report import Report

Form = Literal[
    "html", "markdown", "summary", "junit", "sarif", "github", "gitlab", "model-card", "pdf", "csv", "parquet"
]
FILES: Mapping[Form, str] = {
    "html": "report.html",
    "markdown": "report.md",
    "summary": "summary.md",
    "junit": "junit.xml",
    "sarif": "audit.sarif",
    "github": "annotations.txt",
    "gitlab": "gl-code-quality-report.json",
    "model-card": "model-card.md",
    "pdf": "summary.pdf",
    "csv": "samples.csv",
    "parquet": "samples.parquet",
}
PER_SAMPLE: tuple[Form, ...] = ("csv", "parquet")
"""They need the report's per-sample columns, which results.json does not hold."""


def named(text: str, where: str = "--also") -> tuple[Form, ...]:
    """'junit,sarif' → ('junit', 'sarif'). Raises InputError for a form that there is none of."""
    known = {form: form for form in get_args(Form)}
    asked = [part.strip() for part in text.split(",") if part.strip()]
    for part in asked:
        if part not in known:
            raise InputError(f"no format {part!r}. {did_you_mean(part, known)}", where=where)
    return tuple(known[part] for part in dict.fromkeys(asked))


def render(
    report: Report,
    form: Form,
    *,
    lang: str = "en",
    thumbnails: bool = True,
    at: str = "audit.toml",
    figures: Literal["svg", "png"] = "svg",
) -> dict[str, bytes]:
    """File name → content, the report's own file first. `at` is the file of a repository that alerts point to."""
    if form == "markdown":
        from reports.formats import markdown  # drawing takes a second to import

        text, drawn = markdown.render(report, lang=lang, figures=figures)
        return {FILES[form]: text.encode(), **drawn}
    if form == "parquet":
        from reports.formats import parquet

        return {FILES[form]: parquet.parquet(report)}
    if form == "pdf":
        from reports.formats import pdf

        return {FILES[form]: pdf.render(report, lang=lang)}
    return {FILES[form]: _text(report, form, lang, thumbnails, at).encode()}


def _text(report: Report, form: Form, lang: str, thumbnails: bool, at: str) -> str:
    from reports import archive
    from reports.formats import github, gitlab, junit, markdown, model_card, sarif

    match form:
        case "html":
            from reports.formats import html  # draws

            return html.render(report, lang=lang, thumbnails=thumbnails)
        case "summary":
            return markdown.summary(report, lang=lang)
        case "junit":
            return junit.render(report, lang=lang)
        case "sarif":
            return sarif.render(report, at=at, lang=lang)
        case "github":
            return github.render(report, at=at, lang=lang)
        case "gitlab":
            return gitlab.render(report, at=at, lang=lang)
        case "model-card":
            return model_card.render(report, lang=lang)
        case "csv":
            return archive.samples_csv(report)
    raise InputError(f"no format {form!r}.", where="--format")
