"""The self-check: what it makes, how it judges, and one case from end to end."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from audit.self_check import check as checking
from audit.self_check.cases import ALARMS, CASES, Case, copied, rote, shifted, with_word_column
from audit.self_check.check import Outcome, Selfcheck, judged, selfcheck
from audit.self_check.table import result, sentence
from probes.errors import DataError, InputError
from probes.result import Failure, Finding, Result, Severity
from probes.texts import texts
from reports.report import Report
from reports.wording.catalogue import words
from tests.probes.truth import untrue
from tests.reports.sample import sample

BY_NAME = {case.name: case for case in CASES}


def report(*codes: str, severity: Severity = "high") -> Report:
    findings = tuple(Finding(code=code, severity=severity) for code in codes)
    return dataclasses.replace(
        sample(), results=(Result(probe="membership", params={}, estimates=(), findings=findings),)
    )


def test_every_case_has_words_and_looks_for_findings_that_exist() -> None:
    known = set(texts("en").content["findings"])
    assert {*ALARMS, *(code for case in CASES for code in (*case.finds, *case.may))} <= known
    assert len({case.name for case in CASES}) == len(CASES)
    for lang in ("en", "zh"):
        assert all(words(lang).text(case.title) != case.title.code for case in CASES)


def test_what_is_planted_is_there() -> None:
    made = copied(0)
    held, members = made.inputs[made.held_out].flatten(1), made.inputs[made.member].flatten(1)
    nearest = (held[:, None] - members[None]).abs().amax(dim=2).min(dim=1).values
    assert 20 <= (nearest == 0).sum() <= 25
    assert 40 <= (nearest < 0.15).sum() <= 45
    moved = shifted(0)
    assert moved.inputs[moved.member, 6].mean() > moved.inputs[moved.held_out, 6].mean() + 0.8
    column = with_word_column(0)
    says = (column.inputs[:, -2] > 0).numpy()
    assert says[column.labels == 1].mean() > 0.9
    assert says[column.labels == 0].mean() < 0.1
    from audit.self_check.samples import digits

    honest = digits().labels.numpy()
    order = np.random.default_rng([0, 0]).permutation(len(honest))[:800]
    assert 0.25 < (rote(0).labels != honest[order]).mean() < 0.42


def test_found_missed_and_false_alarms() -> None:
    patch, sound = BY_NAME["patch"], BY_NAME["never-trained"]
    assert judged(patch, report("drift.shortcut", "membership.leaks"), 1.0).ok
    missed = judged(patch, report("drift.no-shortcut"), 1.0)
    assert missed.found is False
    assert not missed.ok
    alarmed = judged(patch, report("drift.shortcut", "membership.false-dp-claim"), 1.0)
    assert alarmed.false == ("membership.false-dp-claim",)
    assert judged(sound, report("membership.quiet"), 1.0).ok
    assert judged(sound, report("membership.leaks"), 1.0).false == ("membership.leaks",)
    assert judged(sound, report("contamination.across-split", severity="low"), 1.0).ok
    assert judged(patch, report("drift.shortcut", severity="low"), 1.0).found
    crashed = dataclasses.replace(sample(), results=(Failure(probe="drift", error="ValueError", message="broke"),))
    assert judged(sound, crashed, 1.0).failed == ("drift",)
    assert not judged(sound, "no torch", 1.0).ok


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_sentence_counts_and_the_table_names_alarms(lang: str) -> None:
    say = words(lang)
    good = Outcome(case=BY_NAME["patch"], found=True, false=(), failed=(), seconds=1.0)
    bad = Outcome(case=BY_NAME["private"], found=None, false=("membership.leaks",), failed=(), seconds=1.0)
    assert "1" in sentence(Selfcheck(outcomes=(good,), seed=0), say)
    assert Selfcheck(outcomes=(good, bad), seed=0).ok is False
    assert "membership.leaks" in result(bad, say)
    content = json.loads(json.dumps(Selfcheck(outcomes=(good, bad), seed=0).as_json()))
    assert [one["truth"] for one in content["cases"]] == ["planted", "sound"]


def test_an_unknown_case_is_one_line_and_an_audit_that_cannot_run_falls_short(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="there is no case 'patsh'"):
        selfcheck(["patsh"])

    def broken(case: Case, *given: object) -> None:
        raise DataError("is broken.", where="here")

    monkeypatch.setattr(checking, "audit_of", broken)
    found = selfcheck(["patch"], workers=1)
    assert not found.ok
    assert found.outcomes[0].failed == ("here: is broken.",)


@pytest.mark.slow
@pytest.mark.parametrize("name", BY_NAME)
def test_the_case_is_as_it_should_be_and_its_findings_are_true(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []

    def judging(case: Case, found: Report | str, seconds: float) -> Outcome:
        seen.append(found)
        return judged(case, found, seconds)

    monkeypatch.setattr(checking, "judged", judging)
    assert selfcheck([name], workers=1).ok
    results = [one for found in seen if isinstance(found, Report) for one in found.results]
    assert results
    assert [line for one in results if isinstance(one, Result) for line in untrue(one)] == []
