"""The texts of a report in a language; missing texts are taken from English."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from probes.message import Message, Text
from probes.result import Estimate, Failure, Finding, Result
from probes.texts import Texts, texts
from reports.wording.numbers import SHARES, axis_scale, spaced


class Words:
    """Access to the texts of a language: words("ui", "title", name=...)."""

    def __init__(self, texts: Texts, lang: str, titles: Mapping[tuple[str, str], Text] | None = None) -> None:
        self.texts, self.lang, self.titles = texts, lang, titles or {}

    def about(self, results: Iterable[Result | Failure], forms: tuple[str, ...] = ()) -> Words:
        """The same texts for these results, with the titles that their estimates carry, in these forms where they have
        them (`Texts.preferring`)."""
        titles = {
            (result.probe, one.name): one.title
            for result in results
            if isinstance(result, Result)
            for one in result.estimates
            if one.title
        }
        return Words(self.texts.preferring(forms) if forms else self.texts, self.lang, titles)

    def find(self, *path: str, scope: str = "") -> Any:
        """The entry, in this language or in English, or None."""
        return self.texts.find(*path, scope=scope)

    def __call__(self, *path: str, **values: object) -> str:
        text = self.find(*path)
        return str(text).format(**values) if text is not None else path[-1]

    def claim(self, finding: Finding) -> str:
        return spaced(self.texts.claim(finding))

    def text(self, text: Text | None) -> str:
        """A message of a probe or the gate in this language; a plain string unchanged."""
        return spaced(self.texts.say(text))

    def term(self, text: Text, probe: str = "") -> str:
        """A term of that probe, or a message, in this language; an unknown term unchanged."""
        return self.text(text) if isinstance(text, Message) else self.texts.term(text, probe)

    def listed(self, names: Sequence[str]) -> str:
        """a, b and c."""
        *first, last = names or ("",)
        comma, last_of_all = self("ui", "comma"), self("ui", "and")
        return f"{comma.join(first)}{last_of_all}{last}" if first else last

    def estimate(self, name: str, probe: str) -> str:
        """An estimate's title: its own, in a report that has it (`about`), else the title of its name, else its
        name."""
        if own := self.titles.get((probe, name)):
            return self.text(own)
        return str(self.find("estimates", name, scope=probe) or name)

    def title(self, estimate: Estimate, probe: str) -> str:
        """The probe's title in reports."""
        return self.text(estimate.title) if estimate.title else self.estimate(estimate.name, probe)

    def axis(self, unit: str) -> str:
        """The unit of an axis' numbers, which `axis_scale` has scaled: shares are in percent."""
        if axis_scale(unit) == 1:
            return self.texts.entry(unit, "units")
        return "%" if unit in SHARES else self("units", "points")

    def probe(self, name: str, key: str) -> str:
        found = self.find("probes", name, key)
        return str(found) if found is not None else (name if key == "title" else "")


@cache
def words(lang: str) -> Words:
    """Raises InputError for an unknown language."""
    return Words(texts(lang), lang)
