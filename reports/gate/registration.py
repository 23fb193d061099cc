"""Pre-registration: thresholds, probes and seed are fixed before a run, so that they cannot be chosen after seeing the
results."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from probes.errors import InputError
from probes.json_text import parsed
from reports.gate.thresholds import Gate

FORMAT = "transfer-audit/registration/1"
Status = Literal["as registered", "changed", "not registered"]


@dataclass(frozen=True, kw_only=True)
class Registration:
    """What was fixed, when (by the clock of the machine that wrote it), and its digest."""

    content: Mapping[str, Any]
    registered: str = ""
    """ISO time in UTC; it proves nothing by itself: commit or sign the file before the run."""
    version: str = ""
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", digest(self.content))


def content_of(gate: Gate, probes: Mapping[str, Mapping[str, Any]], seed: int | None) -> dict[str, Any]:
    """Everything that determines a verdict, given results: thresholds as judged, waivers, level, probe parameters, and
    the seed if one was chosen."""
    thresholds = [
        {
            "probe": one.probe,
            "estimate": one.estimate,
            "direction": one.direction,
            "bound": one.bound,
            "against": one.against,
            "must_exist": not one.optional,
        }
        for one in gate.thresholds
    ]
    waivers = [
        {"probe": one.probe, "estimate": one.estimate, "reason": one.reason, "expires": one.expires.isoformat()}
        for one in gate.waivers
    ]
    return {
        "profile": gate.profile,
        "level": gate.level,
        "on_undecided": gate.on_undecided,
        "thresholds": thresholds,
        "waivers": waivers,
        "probes": _plain(probes),
        "seed": seed,
    }


def digest(content: Mapping[str, Any]) -> str:
    """sha256 (hex) of the content as JSON with sorted keys: equal content, equal digest.

    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    True
    """
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def dump(registration: Registration) -> str:
    """The text of the file."""
    whole = {
        "format": FORMAT,
        "digest": registration.digest,
        "registered": registration.registered,
        "version": registration.version,
        "content": registration.content,
    }
    return json.dumps(whole, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def load(text: str, where: str) -> Registration:
    """Raises InputError for anything but a registration, or if its content does not match its digest."""
    try:
        whole = parsed(text)
        if whole["format"] != FORMAT:
            raise ValueError(f"format {whole['format']!r}")
        found = Registration(
            content=dict(whole["content"]), registered=str(whole["registered"]), version=str(whole["version"])
        )
        claimed = str(whole["digest"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"is not a registration: {error}.", where=where, do="Write one: audit init --register."
        ) from None
    if found.digest != claimed:
        raise InputError(
            "was changed after it was written: its content does not match its digest.",
            where=where,
            do="Restore it, or register again before the next run.",
        )
    return found


def compared(registration: Registration | None, content: Mapping[str, Any]) -> dict[str, Any]:
    """For results.json: whether a run used what was registered, and every difference."""
    if registration is None:
        return {"status": "not registered", "digest": digest(content), "changed": []}
    fixed, used = dict(registration.content), dict(content)
    if fixed.get("seed") is None:  # the seed was left to the model's own
        fixed.pop("seed", None)
        used.pop("seed", None)
    changed = sorted(_changes("", _by_name(fixed), _by_name(used)))
    status: Status = "changed" if changed else "as registered"
    return {
        "status": status,
        "digest": registration.digest,
        "registered": registration.registered,
        "changed": list(changed),
    }


def _by_name(content: Mapping[str, Any]) -> dict[str, Any]:
    """Lists of thresholds and waivers as tables, so that a change names its estimate."""
    named = dict(content)
    for part in ("thresholds", "waivers"):
        named[part] = {
            f"{one['probe']}.{one['estimate']}" + (" (baseline)" if one.get("against") == "baseline" else ""): {
                key: value for key, value in one.items() if key not in ("probe", "estimate", "against")
            }
            for one in content.get(part) or ()
        }
    return named


def _changes(path: str, old: Any, new: Any) -> list[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        found: list[str] = []
        for key in sorted({*old, *new}):
            place = f"{path} {key}".strip()
            if key not in new:
                found.append(f"{place}: {json.dumps(old[key])} → –")
            elif key not in old:
                found.append(f"{place}: – → {json.dumps(new[key])}")
            else:
                found += _changes(place, old[key], new[key])
        return found
    return [] if old == new else [f"{path}: {json.dumps(old)} → {json.dumps(new)}"]


def _plain(probes: Mapping[str, Mapping[str, Any]]) -> Any:
    """In JSON form: tuples become lists."""
    return json.loads(json.dumps(probes, default=list))
