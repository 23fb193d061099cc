"""The interface of a report format: a pure function from a report to files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from reports.report import Report


@dataclass(frozen=True, kw_only=True)
class Style:
    """Options for writing reports.

    lang        en (the default) or zh
    thumbnails  False: no file contains an image of a sample
    at          the file in a repository that alerts point to (audit.toml)
    figures     svg (the default) or png: the format of images beside a text

    >>> Style(lang="zh").thumbnails
    True
    """

    lang: str = "en"
    thumbnails: bool = True
    at: str = "audit.toml"
    figures: Literal["svg", "png"] = "svg"


PLAIN = Style()
Files = Mapping[str, bytes]


def utf8(text: str) -> bytes:
    r"""The bytes of a file; what UTF-8 cannot hold, such as a file name of other bytes, is escaped.

    >>> utf8("c\udcff.pt")
    b'c\\udcff.pt'
    """
    return text.encode("utf-8", "backslashreplace")


@dataclass(frozen=True, kw_only=True)
class Announcement:
    """Output for a CI runner.

    lines     on standard error
    appended  texts to append, by the environment variable that names the file

    >>> Announcement(lines="::error::the gate failed", appended={"GITHUB_STEP_SUMMARY": "# Audit"}).lines
    '::error::the gate failed'
    """

    lines: str
    appended: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Format:
    """A format of the report.

    file        name of its main file, or of its folder
    render      returns the content of every file by name, the main file first
    per_sample  whether it needs the per-sample columns, which are not in results.json; off by default
    announce    for a format that writes to the runner if no file is requested; None by default
    reads       the files of a run that it includes unchanged; none by default
    of_files    called instead of `render`, with those of these files that exist
    folder      whether its files fill a folder, which must be empty; off by default
    then        what to do with it next, for a message; empty by default

    >>> from reports.example import example_report
    >>> shout = Format.of_text("shout.txt", lambda report, style: report.verdict.status.upper())
    >>> shout.content(example_report(), {}, PLAIN)
    {'shout.txt': b'PASS'}
    """

    file: str
    render: Callable[[Report, Style], Mapping[str, bytes]]
    per_sample: bool = False
    announce: Callable[[Report, Style], Announcement] | None = None
    reads: tuple[str, ...] = ()
    of_files: Callable[[Report, Files, Style], Mapping[str, bytes]] | None = None
    folder: bool = False
    then: str = ""

    def content(self, report: Report, files: Files, style: Style) -> Mapping[str, bytes]:
        """The content of every file by name, the main file first."""
        return self.render(report, style) if self.of_files is None else self.of_files(report, files, style)

    @classmethod
    def of_text(
        cls,
        file: str,
        write: Callable[[Report, Style], str],
        *,
        per_sample: bool = False,
        announce: Callable[[Report, Style], Announcement] | None = None,
    ) -> Format:
        """A format with one UTF-8 file."""
        return cls(
            file=file,
            render=lambda report, style: {file: utf8(write(report, style))},
            per_sample=per_sample,
            announce=announce,
        )
