"""The words of a report: one file a language; English stands in for what a language lacks."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from probes.errors import InputError
from probes.result import Finding
from reports.wording.numbers import spaced

LANGUAGES = ("en", "zh")


class Words:
    """Looks words up by path: words("ui", "title", name=...)."""

    def __init__(self, content: Mapping[str, Any], fallback: Mapping[str, Any], lang: str) -> None:
        self.content, self.fallback, self.lang = content, fallback, lang

    def find(self, *path: str) -> Any:
        """The entry, in this language or in English, or None."""
        for source in (self.content, self.fallback):
            value: Any = source
            for part in path:
                value = value.get(part) if isinstance(value, Mapping) else None
            if value is not None:
                return value
        return None

    def __call__(self, *path: str, **values: object) -> str:
        text = self.find(*path)
        return str(text).format(**values) if text is not None else path[-1]

    def claim(self, finding: Finding) -> str:
        """The claim in this language where there is a template for it and the values it asks for, else as the probe
        said it."""
        template = self.content.get("findings", {}).get(finding.code, {}).get("claim")
        if not template:
            return spaced(finding.claim)
        try:
            whom = {name: self.find("words", str(finding.values[name])) for name in ("whom",) if name in finding.values}
            return spaced(str(template).format(**(dict(finding.values) | {k: v for k, v in whom.items() if v})))
        except (KeyError, ValueError, TypeError):  # an older or a stranger's probe gives other values
            return spaced(finding.claim)

    def sentence(self, text: str) -> str:
        """What a probe or the gate says in English, in this language where its pattern is known."""
        for pattern, translated in (self.content.get("phrases") or {}).items():
            if match := re.fullmatch(pattern, text.strip()):
                return spaced(str(translated).format(*match.groups()))
        return spaced(text)

    def listed(self, names: Sequence[str]) -> str:
        """a, b and c."""
        *first, last = names or ("",)
        comma, last_of_all = self("ui", "comma"), self("ui", "and")
        return f"{comma.join(first)}{last_of_all}{last}" if first else last

    def estimate(self, name: str) -> str:
        """Its title; by name, else by pattern, else its name."""
        found = self.find("estimates", name)
        if found is not None:
            return str(found)
        for pattern, text in {**(self.fallback.get("patterns") or {}), **(self.content.get("patterns") or {})}.items():
            if match := re.match(pattern, name):
                return str(text).format(*match.groups())
        return name

    def probe(self, name: str, key: str) -> str:
        found = self.find("probes", name, key)
        return str(found) if found is not None else (name if key == "title" else "")


@cache
def words(lang: str) -> Words:
    """Raises InputError for a language that there is none of."""
    if lang not in LANGUAGES:
        raise InputError(f"no language {lang!r}. Known: {', '.join(LANGUAGES)}.", where="--lang")
    return Words(_read(lang), _read("en"), lang)


@cache
def _read(lang: str) -> Mapping[str, Any]:
    path = files("reports") / "text" / f"{lang}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
