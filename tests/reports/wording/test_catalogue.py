"""All words in one place a language, none missing, none for something that does not exist."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from probes.errors import InputError
from probes.result import Finding
from probes.texts import texts
from reports.wording.catalogue import words

UNTRANSLATED = {"command", "citations", "phrases", "claim"}


def read(lang: str) -> dict[str, object]:
    return texts(lang).content  # type: ignore[return-value]


def paths(content: dict[str, object], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    for key, value in content.items():
        if isinstance(value, dict):
            yield from paths(value, (*above, key))
        else:
            yield (*above, key), str(value)


def test_chinese_lacks_nothing() -> None:
    chinese = dict(paths(read("zh")))
    lacking = {path for path, _ in paths(read("en")) if path not in chinese and not {path[0], path[-1]} & UNTRANSLATED}
    assert lacking == set()


def test_claims_are_filled_from_values_else_as_the_probe_said_them() -> None:
    say = words("zh")
    values = {"gap": 0.1234, "low": 0.1, "high": 0.15}
    finding = Finding(code="overfitting.gap", severity="high", claim="English.", values=values)
    assert "12.3 %" in say.claim(finding)
    stranger = Finding(code="overfitting.gap", severity="high", claim="English.", values={})
    assert say.claim(stranger) == "English."
    assert words("en").claim(finding) == "English."


def test_unknown_names_and_languages() -> None:
    say = words("en")
    assert say.estimate("attack.loss.auc") == "AUC of the attack loss, by itself"
    assert say.estimate("strange.number") == "strange.number"
    assert say.probe("strange", "title") == "strange"
    with pytest.raises(InputError, match="no language"):
        words("tlh")


FEWER = "The budget of 20m left 3 of 4 linear-probe, 3 of 8 splits rounds."
GAP = "an accuracy gap of 0.048 instead of 0.039"
TPR = "a true-positive rate at 1 % false positives of 0.017 instead of 0.014"


@pytest.mark.parametrize(
    "said",
    [
        f"{FEWER} Found with 80 % probability is now {GAP}, {TPR}.",
        f"{FEWER} Found with 80 % probability is now {GAP}.",
        f"{FEWER} Found with 80 % probability is now {TPR}.",
        FEWER,
        "Looked at 3 times, without stopping early: its last look spent 60 % of the gate's error.",
        "Stopped after 4 of 8 rounds with every check decided: this look spent 16 % of the gate's error.",
    ],
)
def test_notes_beneath_the_verdict_are_translated(said: str) -> None:
    told = words("zh").sentence(said)
    assert not re.search(r"budget|found|instead|look|stopped", told.casefold())
    assert set(re.findall(r"\d+\.\d+", said)) <= set(re.findall(r"\d+\.\d+", told))
