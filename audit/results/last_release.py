"""The last release in a folder of audits: the default baseline of the next audit."""

from __future__ import annotations

from pathlib import Path

from audit.results.history import located


def last_release(folder: Path, out: Path | None = None) -> Path | None:
    """The results.json of the newest audit below the folder whose verdict was a pass, or of the newest if none was;
    None if there is none except in `out`, which is about to be replaced, or if the folder is made with `out`.

    Raises InputError if the folder does not exist.
    """
    own = None if out is None else out.resolve()
    if is_made_with(folder, out):
        return None
    others = [(run, path) for run, path in located(folder) if path.parent.resolve() != own]
    passed = [one for one in others if one[0].report.verdict.status == "pass"]
    chosen = (passed or others)[-1:]
    return chosen[0][1] if chosen else None


def is_made_with(folder: Path, out: Path | None) -> bool:
    """Whether the folder will be there once the first audit is written into it.

    >>> is_made_with(Path("reports of nothing"), Path("reports of nothing/v1"))
    True
    """
    return out is not None and not folder.exists() and folder.resolve() in out.resolve().parents
