"""What a file is that was given for another: told from its first bytes, whatever it is called."""

from __future__ import annotations

from pathlib import Path

UNPACK = "Unpack it, or save it in a plain format."
DOWNLOAD = "Download the file itself."
CONVERT = "Convert it to PNG or JPEG."
STARTS = {
    b"PK": ("an archive or a spreadsheet", UNPACK),
    b"\x1f\x8b": ("compressed", UNPACK),
    b"BZh": ("compressed", UNPACK),
    b"\xfd7zXZ": ("compressed", UNPACK),
    b"(\xb5/\xfd": ("compressed", UNPACK),
    b"\xd0\xcf\x11\xe0": ("a spreadsheet", UNPACK),
    b"PAR1": ("a Parquet file", "Call it .parquet."),
    b"ARROW1": ("an Arrow file", "Call it .arrow."),
    b"version https://git-lfs": ("a Git LFS pointer", "Get the file itself by `git lfs pull`."),
    b"<!doctype html": ("a web page", DOWNLOAD),
    b"<html": ("a web page", DOWNLOAD),
    b"<svg": ("an SVG drawing", CONVERT),
    b"%PDF": ("a PDF document", CONVERT),
}
BOXES = {b"heic": "a HEIC image", b"heix": "a HEIC image", b"mif1": "a HEIC image", b"avif": "an AVIF image",
         b"avis": "an AVIF image"}  # fmt: skip
"""Kinds of the ISO base media format, which follow its length and "ftyp"."""


def other_file(path: Path) -> tuple[str, str] | None:
    """What it is and what to do, or None if it is none of these."""
    with path.open("rb") as file:
        start = file.read(64)
    if not start:
        return "empty", "Copy it again."
    if start[4:8] == b"ftyp" and (kind := BOXES.get(start[8:12])):
        return kind, CONVERT
    return next((told for magic, told in STARTS.items() if start[: len(magic)].lower() == magic.lower()), None)
