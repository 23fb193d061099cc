"""What a report advises can be followed, however the audited model was given."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

import pytest

from probes.message import Message
from probes.probe import PROBES, requires, takes
from probes.result import Finding, Result
from probes.texts import texts
from reports.document.next_steps import COMMANDS, FORMS, given
from reports.document.outline import outline
from reports.report import Report
from reports.wording.catalogue import words
from tests.reports.sample import full, sample

FINDINGS = texts("en").content["findings"]
MESSAGES = texts("en").content["messages"]
CODE = "{'best': 3, 'needed': 1000, 'share': 0.3}"
RECIPE = (
    r"[Gg]ive the recipe|recipe given|in the recipe|transfer = |[Pp]rovide the recipe|the recipe does not reproduce"
)
PYTHON = r"recipe=|trainer=|changes=|seed="
REPEATS = r"[Rr]epeats (?!the audit)|--set|probes\.\w+\.repeats|more replicas|[Mm]ore replicas"
CANARIES = "plant canaries"
NETWORK = r"[Ee]pochs|augment|fewer trained layers|DP-SGD|learning rate|label smoothing|[Tt]emperature scaling"
CANNOT = {
    "checkpoint": PYTHON,
    "weights": PYTHON,
    "folder": PYTHON,
    "record": PYTHON,
    "network": rf"{CANARIES}|(?<!: )--set|--seed",
    "bare-network": rf"{RECIPE}|{REPEATS}|{CANARIES}|or read the recipe's|Read the recipe's|--seed",
    "trainer": rf"{RECIPE}|{PYTHON}|{CANARIES}",
    "function": rf"{RECIPE}|{CANARIES}|(?<!: )--set|--seed",
    "estimator": rf"{RECIPE}|{CANARIES}|(?<!: )--set|--seed|{NETWORK}",
    "language": PYTHON,
    "language-trainer": rf"{PYTHON}|[Gg]ive the recipe|recipe given|not reproduce this checkpoint",
    "predictions": rf"{RECIPE}|{PYTHON}|{REPEATS}|{CANARIES}|--seed|trainer|[Ff]ine-tune again",
}
"""What the owner of a model that was given so cannot do: the words that would ask for it."""
NEEDS_A_NETWORK = ("drift", "forgetting", "inheritance", "reconstruction")
ONLY_FROM_RECIPES = (
    "membership.false-dp-claim",
    "membership.dp-of-search",
    "overfitting.epochs",
    "overfitting.negative-transfer",
    "overfitting.worse-than-linear-probe",
    "overfitting.no-better-than-linear-probe",
    "overfitting.transfer-not-shown",
    "inheritance.format-runs-code",
    "statistics.members-unknown",
)
"""Findings that rest on a training history, on layers, or on a claim in a checkpoint."""

WITHOUT_REPLICAS = {
    "leaks",
    "leaks-few",
    "quiet",
    "split-differs",
    "few-groups",
    "forecast",
    "attack-below-half",
    "unresolved",
    "no-replicas",
    "gap",
    "unclear",
    "uneven-class",
    "uneven-group",
    "miscalibrated",
    "overconfident",
    "chosen",
    "may-be-chosen",
    "guessing",
    "reasons",
    "provenance-gaps",
    "across-split",
    "within-members",
    "validation",
    "conflicting-labels",
    "groups-across-split",
    "source",
    "leaking-column",
    "leaking-pair",
}
"""Findings of an audit without a single replica."""
ONLY_WITHOUT = ("membership.forecast",)

SAID = ("gate.", "membership.no-persons", "membership.persons-low-end")
SAID_OF_REPLICAS = ("gate.cannot-tell", "gate.not-reproduced", "gate.more-of-it-by", "membership.persons-low-end")


def applies(code: str, how: str) -> bool:
    """Whether an audit of such a model can have the finding."""
    name, _, found = code.partition(".")
    if how == "bare-network" and found not in WITHOUT_REPLICAS:
        return False
    if code in ONLY_WITHOUT and how not in ("bare-network", "predictions"):
        return False
    if name not in PROBES.names():
        return code not in ONLY_FROM_RECIPES or how in ("weights", "folder")
    probe = PROBES.load(name)()
    if how.startswith("language"):
        return (
            takes(probe, "language")
            and not (name == "drift" and not found.startswith(("words-", "on-one")))
            and code not in ONLY_FROM_RECIPES
        )
    if not takes(probe, "table"):
        return False
    language = (
        "tokens",
        "token",
        "canaries",
        "dp-learnt",
        "worse-than-base",
        "learnt-nothing",
        "contradicted",
        "words-",
    )
    if found.startswith((*language, "on-one-word")):
        return False
    if how == "predictions" and requires(probe):
        return False
    if how in ("predictions", "estimator") and (name in NEEDS_A_NETWORK or "variant" in code):
        return False
    return code not in ONLY_FROM_RECIPES or how in ("checkpoint", "weights", "folder", "record")


def made(how: str, results: tuple[Result, ...] = ()) -> Report:
    report = sample()
    modality = "language" if how.startswith("language") else "table"
    return dataclasses.replace(
        report,
        model={**report.model, "given": how},
        data={**report.data, "modality": modality},
        results=results or report.results,
    )


def shown(code: str, how: str, lang: str = "en") -> tuple[str, str]:
    """What helps, and the command, as the report shows them."""
    name = code.partition(".")[0]
    params = vars(PROBES.load(name)()) if name in PROBES.names() else {}
    values = {"best": 3, "needed": 1000, "share": 1}
    finding = Finding(code=code, severity="high", claim="Claimed.", values=values)
    numbers = {key: one for key, one in params.items() if type(one) is int}
    result = Result(probe=name, params=numbers, estimates=(), findings=(finding,))
    section = next(one for one in outline(made(how, (result,)), lang).sections if one.probe == name)
    return section.findings[0].helps, section.findings[0].command


def advised() -> Iterator[tuple[str, str]]:
    for code, finding in FINDINGS.items():
        if "helps" in finding:
            yield from ((code, how) for how in FORMS if applies(code, how))


@pytest.mark.parametrize(("code", "how"), sorted(advised()))
def test_what_helps_can_be_done(code: str, how: str) -> None:
    helps, command = shown(code, how)
    assert helps
    assert (found := re.search(CANNOT[how], helps)) is None, f"{how}: {helps} ({found})"
    for step in command.split(" && ") if command else ():
        name, options = re.match(r"audit (\w+)(.*)", step).groups()  # type: ignore[union-attr]
        assert name in COMMANDS[how] or "NEW-MODEL" in options, f"{how}: {command}"
        if "new.pt" not in step and "NEW-MODEL" not in step:
            assert COMMANDS[how][name] in step, f"{how}: {command}"


@pytest.mark.parametrize("how", FORMS)
def test_what_a_check_says_can_be_done(how: str) -> None:
    numbers = {"needed": 20, "n": 10, "power": 0.8, "have": 3, "fpr": 0.01}
    setting = "--set probes.membership.repeats=16"
    values = {"shown": "0.5", "what": "folds", "setting": setting, "probe": "membership", **numbers}
    say = words("en").about((), FORMS[how])
    for code in MESSAGES:
        if not code.startswith(SAID) or code.endswith(tuple(f"-{form}" for form in FORMS)):
            continue
        if how == "bare-network" and code.startswith(SAID_OF_REPLICAS):
            continue
        for beside in (code, f"{code}.beside"):
            said = say.text(Message(beside, values))
            if said != beside:
                assert (found := re.search(CANNOT[how], said)) is None, f"{how}: {said} ({found})"


def test_each_form_is_one_of_some_audit_and_in_both_languages() -> None:
    known = {form for forms in FORMS.values() for form in forms} | {"image", "table", "text", "audio"}
    for lang in ("en", "zh"):
        own = texts(lang)
        used = {key.partition("-")[2] for finding in own.content["findings"].values() for key in finding if "-" in key}
        assert used <= known, used - known
    english, chinese = (texts(lang).content for lang in ("en", "zh"))
    for code, finding in english["findings"].items():
        forms = {key for key in finding if "-" in key and not key.startswith("command")}
        assert forms == {key for key in chinese["findings"][code] if "-" in key}, code


def test_a_report_that_does_not_say_how_is_read_by_its_other_parts() -> None:
    plain = sample()
    assert given(plain) == "checkpoint"
    for model, how in (
        ({"architecture": "predictions"}, "predictions"),
        ({"recipe": {"source": {"model": "trainer:train.py:train"}}}, "trainer"),
        ({"recipe": {"source": {"model": "trainer:RandomForestClassifier"}}}, "function"),
        ({"recipe": {"source": {"model": "memory:Sequential"}}}, "network"),
        ({"given": "of another version"}, "checkpoint"),
    ):
        assert given(dataclasses.replace(plain, model={**plain.model, **model})) == how


def test_a_model_of_its_own_code_is_opened_with_trust_in_it() -> None:
    report = made("checkpoint")
    finding = Finding(code="membership.leaks", severity="high", claim="Claimed.")
    result = Result(probe="membership", params={}, estimates=(), findings=(finding,))
    told = []
    for own in ({}, {"own_code": True}):
        document = outline(dataclasses.replace(report, results=(result,), model={**report.model, **own}))
        told += [one.findings[0].command for one in document.sections if one.probe == "membership"]
    assert told[0].endswith("--try dp=8")
    assert told[1] == f"{told[0]} --trust-code"


@pytest.mark.parametrize(("lang", "ours", "theirs"), [("en", "replica", "shadow model"), ("zh", "复本", "影子模型")])
def test_replicas_of_predictions_are_called_shadow_models(lang: str, ours: str, theirs: str) -> None:
    """Names of estimates, which configurations use, stay as they are."""
    report = full()
    counted = str(outline(report, lang)).lower().count(ours)
    document = outline(dataclasses.replace(report, model={**report.model, "given": "predictions"}), lang)
    told = re.sub(r"name='[^']*'|\('audit: [^)]*\)", "", str(document)).lower()
    assert counted > 10
    assert ours not in told
    assert told.count(theirs) > 10
