"""Report formats by their name on the command line: entry points in the group `audit.formats`."""

from __future__ import annotations

from probes.errors import InputError, PluginError, did_you_mean
from probes.registry import Registry
from reports.formats.base import PLAIN, Format, Style
from reports.report import Report


def _accept(name: str, loaded: object) -> Format:
    if not isinstance(loaded, Format):
        raise PluginError(f"{loaded!r} is not a report format (a reports.formats.base.Format)")
    return loaded


FORMATS = Registry("audit.formats", "report format", _accept)


def named(text: str, where: str = "--also") -> tuple[str, ...]:
    """'junit,sarif' → ('junit', 'sarif'). Raises InputError for a format that is not installed."""
    known = FORMATS.names()
    asked = [part.strip() for part in text.split(",") if part.strip()]
    for part in asked:
        if part not in known:
            raise InputError(f"no format {part!r}. {did_you_mean(part, known)}", where=where)
    return tuple(dict.fromkeys(asked))


def render(report: Report, form: str, style: Style = PLAIN) -> dict[str, bytes]:
    """The content of every file by name, the main file first. Raises InputError for an unknown format, PluginError for
    one that cannot be imported."""
    return dict(FORMATS.load(form, where="--format").render(report, style))
