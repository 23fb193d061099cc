"""Texts in each language: TOML files beside the code that uses them, found by the entry points `audit.texts`.

An entry point names a package (`membership = "probes.membership"`), whose folder `text` has one file per language. Its
name is that of its probe: titles of estimates and terms are looked up there first. The package itself is not imported.
A file has these tables, all of them optional:

    [probes.NAME]        title, question, so_what, method, citations
    [estimates]          titles by an estimate's name, or by the code of its title
    [methods.NAME]       how, limits, helps: what findings that are measured in the same way say in common
    [findings.CODE]      claim, how, limits, helps, command; `method = NAME` takes from that method what it does not say
    [messages]           a template by its code
    [words]              terms: headings, axes, series, words in cells
    [figures]            titles by PROBE.FIGURE, if the figure's own title is plain English

A template is a string, or `{one = "...", other = "..."}`, chosen by whether the value `count` is 1.

A message, and a text of a finding, may have another form for some audits (`Texts.preferring`): `CODE-predictions`
beside CODE, `helps-predictions` beside `helps`. A table `[instead.FORM]` names words that all texts of that form
replace: `replica = "shadow model"`.
"""

from __future__ import annotations

import importlib.util
import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from probes.errors import InputError, PluginError
from probes.message import Fields, Message, Speech, Text
from probes.registry import Registry
from probes.result import Finding

LANGUAGES = ("en", "zh")
UNIQUE = ("probes", "findings", "messages", "figures")
"""Tables in which no two packages may have the same entry; in the others, a package's own entries come first."""

Content = Mapping[str, Any]
PACKAGES: Registry[Any] = Registry("audit.texts", "texts")


class Texts:
    """The texts of all packages in a language; missing texts are taken from the `fallback`."""

    def __init__(
        self,
        packages: Mapping[str, Content],
        fallback: Texts | None = None,
        forms: tuple[str, ...] = (),
        english: Texts | None = None,
    ) -> None:
        self.given, self.fallback, self.forms = packages, fallback, forms
        self.english: Texts = english or (self if fallback is None else fallback.english)
        """In no form: as results.json has claims."""
        merged = _merged(packages)
        self.instead = [pair for form in forms for pair in merged.get("instead", {}).get(form, {}).items()]
        self.packages, self.content = _reworded(packages, self.instead), _reworded(merged, self.instead)
        self._fields = Fields(
            Speech(
                message=self._said,
                term=self.entry,
                **{
                    name: str(self.find("ui", key))
                    for name, key in (
                        ("comma", "comma"),
                        ("last", "and"),
                        ("semicolon", "semicolon"),
                        ("space", "space"),
                    )
                    if self.find("ui", key) is not None
                },
            )
        )

    def preferring(self, forms: tuple[str, ...]) -> Texts:
        """The same texts, in the first of these forms in which there is one.

        >>> bare = Message("gate.no-replicas")
        >>> "shadow models" in texts("en").preferring(("predictions",)).say(bare), "shadow" in texts("en").say(bare)
        (True, False)
        """
        fallback = None if self.fallback is None else self.fallback.preferring(forms)
        return Texts(self.given, fallback, forms, self.english)

    def part(self, code: str, key: str) -> str:
        """A text of a finding, such as `helps`; empty if it has none."""
        found = (self.find("findings", code, one) for one in (*(f"{key}-{form}" for form in self.forms), key))
        return str(next((one for one in found if one is not None), ""))

    def entry(self, word: str, table: str) -> str:
        """The word's entry in a table, or the title of its entry; the English word if there is none."""
        found = self.find(table, word)
        return str((found.get("title") if isinstance(found, Mapping) else found) or _reworded(word, self.instead))

    def own(self, *path: str, scope: str = "") -> object:
        """The entry in this language, preferring the package `scope`; or None."""
        for content in (self.packages.get(scope, {}), self.content):
            value: object = content
            for part in path:
                value = value.get(part) if isinstance(value, Mapping) else None
            if value is not None:
                return value
        return None

    def find(self, *path: str, scope: str = "") -> Any:
        """The entry in this language or in the fallback, or None."""
        value = self.own(*path, scope=scope)
        return self.fallback.find(*path, scope=scope) if value is None and self.fallback is not None else value

    def fill(self, template: Any, values: Mapping[str, Any]) -> str:
        """Raises KeyError, ValueError or TypeError if the values do not fit the template."""
        if isinstance(template, Mapping):
            template = template["one" if values.get("count") == 1 else "other"]
        return self._fields.vformat(str(template), (), values)

    def say(self, text: Text | None) -> str:
        """A message rendered by its template, or a string unchanged; a message without a template, or whose values do
        not fit it, is rendered as its code."""
        return self._said(text).strip()

    def _said(self, text: Text | None) -> str:
        """With the spaces that join it to the enclosing message."""
        if not isinstance(text, Message):
            return text or ""
        for code in (*(f"{text.code}-{form}" for form in self.forms), text.code):
            template = self.own("messages", code)
            try:
                if template is not None:
                    return self.fill(template, text.values)
            except (KeyError, ValueError, TypeError):
                pass
        return text.code if self.fallback is None else self.fallback._said(text)

    def says(self, text: Text | None) -> bool:
        """Whether there is a template that the message's values fit, in this language or its fallback."""
        return not isinstance(text, Message) or self.say(text) != text.code

    def claim(self, finding: Finding) -> str:
        """Rendered by its template; as the probe's own claim if there is no template, if the values do not fit it, or
        if the claim is another sentence; as its code if there is no claim."""
        english = self.english._claim(finding)
        if finding.claim and english is not None and english != finding.claim:
            return finding.claim
        own = self._claim(finding) or (self.fallback._claim(finding) if self.fallback else None)
        return own or english or finding.claim or finding.code

    def _claim(self, finding: Finding) -> str | None:
        template = self.own("findings", finding.code, "claim")
        try:
            return None if template is None else self.fill(template, finding.values).strip()
        except (KeyError, ValueError, TypeError):
            return None

    def term(self, word: str, scope: str = "") -> str:
        """A term in this language, or unchanged."""
        return str(self.find("words", word, scope=scope) or _reworded(word, self.instead))


@cache
def texts(lang: str) -> Texts:
    """All texts of a language. Raises InputError for an unknown language, PluginError for broken files."""
    if lang not in LANGUAGES:
        raise InputError(f"no language {lang!r}. Known: {', '.join(LANGUAGES)}.", where="--lang")
    packages = {name: _read(entry, lang) for name, entry in PACKAGES.entries().items()}
    return Texts(packages, None if lang == "en" else texts("en"))


def said(text: Text | None, lang: str = "en") -> str:
    """In words.

    >>> said("as it is")
    'as it is'
    """
    return texts(lang).say(text)


def _read(entry: EntryPoint, lang: str) -> Content:
    path = _folder(entry) / f"{lang}.toml"
    try:
        return with_methods(tomllib.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PluginError(f"{path.name} is not readable: {error}", where=PACKAGES.origin(entry)) from error
    except LookupError as error:
        raise PluginError(f"{path.name} has no [methods.{error.args[0]}]", where=PACKAGES.origin(entry)) from error


def with_methods(content: Content) -> Content:
    """Findings with the texts of the method that they name, and no table of methods. Raises KeyError for an unknown
    method.

    >>> methods = {"curve": {"how": "Power laws.", "limits": "An extrapolation."}}
    >>> with_methods({"methods": methods, "findings": {"a": {"method": "curve", "limits": "Holds here."}}})
    {'findings': {'a': {'how': 'Power laws.', 'limits': 'Holds here.'}}}
    """
    methods = {None: {}, **content.get("methods", {})}
    findings = {
        code: {**methods[finding.get("method")], **{key: text for key, text in finding.items() if key != "method"}}
        for code, finding in content.get("findings", {}).items()
    }
    others = {table: entries for table, entries in content.items() if table not in ("methods", "findings")}
    return {**others, "findings": findings}


def _folder(entry: EntryPoint) -> Path:
    """The package's location, found without importing it."""
    try:
        found = importlib.util.find_spec(entry.value)
    except (ImportError, ValueError) as error:
        raise PluginError(f"no package {entry.value!r}: {error}", where=PACKAGES.origin(entry)) from error
    if found is None or not found.submodule_search_locations:
        raise PluginError(
            f"no package {entry.value!r}", where=PACKAGES.origin(entry), do="Fix or uninstall that distribution."
        )
    return Path(next(iter(found.submodule_search_locations))) / "text"


def _reworded(content: Any, words: Sequence[tuple[str, str]]) -> Any:
    """The same texts with these words replaced, except for names of fields and commands.

    >>> _reworded({"says": "Replicas: {replicas}", "command": "audit replica"}, [("replica", "shadow model")])
    {'says': 'Shadow models: {replicas}', 'command': 'audit replica'}
    """
    if not words:
        return content
    if isinstance(content, Mapping):
        return {key: text if key == "command" else _reworded(text, words) for key, text in content.items()}
    if isinstance(content, list):
        return [_reworded(one, words) for one in content]
    if not isinstance(content, str):
        return content
    pairs = {**dict(words), **{old[:1].upper() + old[1:]: new[:1].upper() + new[1:] for old, new in words}}
    sought = "|".join(map(re.escape, pairs))
    return re.sub(rf"\{{[^{{}}]*\}}|{sought}", lambda found: pairs.get(found[0], found[0]), content)


def _merged(packages: Mapping[str, Content]) -> Content:
    merged: dict[str, dict[str, object]] = {}
    for name, content in packages.items():
        for table, entries in content.items():
            known = merged.setdefault(table, {})
            if table in UNIQUE and (twice := known.keys() & entries.keys()):
                raise PluginError(f"two packages have the text {sorted(twice)[0]!r}", where=f"{PACKAGES.group}: {name}")
            merged[table] = {**entries, **known}
    return merged
