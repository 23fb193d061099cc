"""What a report format is: a pure function from a report to files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from reports.report import Report


@dataclass(frozen=True, kw_only=True)
class Style:
    """How reports are written.

    lang        en (the default) or zh
    thumbnails  off: no file holds a picture of a sample
    at          the file of a repository that alerts point to (audit.toml)
    figures     svg (the default) or png: the format of pictures beside a text
    """

    lang: str = "en"
    thumbnails: bool = True
    at: str = "audit.toml"
    figures: Literal["svg", "png"] = "svg"


PLAIN = Style()
Files = Mapping[str, bytes]


@dataclass(frozen=True, kw_only=True)
class Announcement:
    """What a CI runner reads.

    lines     on standard error
    appended  texts by the environment variable that names the file they are appended to
    """

    lines: str
    appended: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Format:
    """A form of the report.

    file        name of its own file, or of its folder
    render      gives the content of every file by name, its own first
    per_sample  whether it needs the per-sample columns, which results.json does not hold; off by default
    announce    for a format that speaks to the runner where no file is asked for; None, the default, for none
    reads       the files of a run that it is made of, byte by byte; none by default
    of_files    is called in place of `render` with those of them that are there
    folder      whether its files fill a folder, which must be empty; off by default
    then        what to do with it, as a message says it; empty by default
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
        """The content of every file by name, its own first."""
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
        """A format of one UTF-8 file."""
        return cls(
            file=file,
            render=lambda report, style: {file: write(report, style).encode()},
            per_sample=per_sample,
            announce=announce,
        )
