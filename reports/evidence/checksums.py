"""Checksums of a pack in the format of `sha256sum`, and differences from them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["changed", "missing", "added", "renamed", "malformed"]

NAME = "SHA256SUMS"
SIGNATURE = f"{NAME}.sig"
PUBLIC_KEY = f"{NAME}.pub"
SIGSTORE = f"{NAME}.sigstore.json"
"""The bundle that sigstore's own command writes beside the signed file."""
UNLISTED = (NAME, SIGNATURE, PUBLIC_KEY, SIGSTORE)
"""The signed file and its signatures, which cannot list their own digests."""
LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")


@dataclass(frozen=True, kw_only=True)
class Change:
    """One changed file; `detail` says how."""

    kind: Kind
    name: str
    detail: str = ""


def digest(content: bytes) -> str:
    """sha256, hex."""
    return hashlib.sha256(content).hexdigest()


def listing(files: Mapping[str, bytes]) -> bytes:
    """The input of `sha256sum -c`: one line per file, sorted by name.

    >>> listing({"b": b"", "a": b""}).decode().splitlines()[0][-3:]
    '  a'
    """
    return "".join(f"{digest(files[name])}  {name}\n" for name in sorted(files) if name not in UNLISTED).encode()


def parse(content: bytes) -> tuple[dict[str, str], list[Change]]:
    """Digests by name, and the invalid lines."""
    listed: dict[str, str] = {}
    wrong: list[Change] = []
    for number, line in enumerate(content.decode("utf-8", errors="replace").split("\n"), start=1):
        if not line:
            continue
        match = LINE.fullmatch(line)
        if match is None:
            wrong.append(Change(kind="malformed", name=NAME, detail=f"line {number}"))
        elif match[2] in listed:
            wrong.append(Change(kind="malformed", name=NAME, detail=f"line {number} lists {match[2]} again"))
        else:
            listed[match[2]] = match[1]
    return listed, wrong


def differences(listed: Mapping[str, str], present: Mapping[str, str]) -> list[Change]:
    """Both name → digest. A missing file whose digest an unlisted file has was renamed."""
    gone = {name for name in listed if name not in present}
    extra = {name for name in present if name not in listed and name not in UNLISTED}
    found = [
        Change(kind="changed", name=name)
        for name in sorted(set(listed) & set(present))
        if listed[name] != present[name]
    ]
    for name in sorted(gone):
        twin = next((other for other in sorted(extra) if present[other] == listed[name]), None)
        if twin is None:
            found.append(Change(kind="missing", name=name))
        else:
            extra.discard(twin)
            found.append(Change(kind="renamed", name=name, detail=twin))
    return found + [Change(kind="added", name=name) for name in sorted(extra)]
