"""The annex is whole in both languages, names only estimates that exist, and claims nothing."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from probes.result import Result
from reports.evidence import annex
from reports.evidence.annex import Clause, Framework
from reports.wording.catalogue import words
from tests.reports.sample import full, sample

CLAUSES = [(one, clause) for one in annex.frameworks() for clause in one.clauses]
CLAIMS = {
    "en": re.compile(r"\b(complian\w*|compl(?:y|ies)|conform\w*|certif\w*|satisf(?:y|ies)|fulfil\w*|meets)\b", re.I),
    "zh": re.compile("合规|符合(?!其他规定)|认证|达标|满足"),
}


def test_every_file_is_in_the_order() -> None:
    there = {path.name.removesuffix(".toml") for path in (files("reports") / "evidence" / "clauses").iterdir()}
    assert there == set(annex.ORDER)


@pytest.mark.parametrize("one", annex.frameworks(), ids=lambda one: one.id)
def test_a_framework_has_its_source_its_date_and_what_was_read(one: Framework) -> None:
    assert one.id in annex.ORDER
    assert one.version >= 1
    assert re.match(r"\d{4}-\d\d", one.dated)
    assert one.source.startswith("http")
    assert set(one.title) == set(one.read) == {"en", "zh"}


@pytest.mark.parametrize(("one", "clause"), CLAUSES, ids=lambda value: getattr(value, "ref", getattr(value, "id", "")))
def test_a_clause_is_whole_in_both_languages(one: Framework, clause: Clause) -> None:
    for texts in (clause.asks, clause.lacks, *([clause.shows] if clause.covered else [])):
        assert set(texts) == {"en", "zh"}
        assert re.search("[\u4e00-\u9fff]", texts["zh"])
        assert not re.search("[\u4e00-\u9fff]", texts["en"])
    assert clause.covered == bool(clause.estimates or clause.parts), "what is shown rests on something"
    assert set(clause.parts) <= set(annex.PARTS)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_no_word_claims_conformity(lang: str) -> None:
    for _, clause in CLAUSES:
        for texts in (clause.shows, clause.lacks):
            assert not CLAIMS[lang].search(texts.get(lang, "")), clause.ref


def test_a_clause_without_evidence_is_marked() -> None:
    text = annex.markdown(full(), "en")
    uncovered = [clause for _, clause in CLAUSES if not clause.covered]
    assert uncovered
    assert text.count("**Not covered.**") == len(uncovered)


def test_a_clause_without_its_estimates_is_not_covered_by_this_audit() -> None:
    """This report has no probe for leakage."""
    clause = next(clause for _, clause in CLAUSES if clause.ref == "11.2.5 (L3)")
    assert annex.answered(clause, full())
    assert not annex.answered(clause, sample())
    assert "**Not covered by this audit**" in annex.markdown(sample(), "en")


def test_the_numbers_are_the_reports_own() -> None:
    told = annex.as_data(full())
    clause = next(one for one in told["frameworks"][3]["clauses"] if one["ref"] == "11.2.5 (L3)")
    auc = next(one for one in clause["estimates"] if one["name"] == "recipe.auc")
    assert (auc["probe"], auc["value"], auc["n"]) == ("membership", 0.74, 16)


def test_estimates_are_named_as_the_gate_names_them() -> None:
    """Each is known by its words, or begins as one that is."""
    say = words("en")
    for _, clause in CLAUSES:
        for name in clause.estimates:
            probe, _, metric = name.partition(".")
            assert probe in {
                "membership",
                "overfitting",
                "drift",
                "contamination",
                "inheritance",
                "variants",
                "extraction",
                "attribute_inference",
                "reconstruction",
            }
            if not name.endswith("."):
                assert say.estimate(metric, probe) != metric, f"{clause.ref}: {name}"


def test_every_probe_of_a_full_report_answers_something() -> None:
    report = full()
    answered = {probe for _, clause in CLAUSES for probe, _ in annex.produced(clause, report)}
    assert answered >= {one.probe for one in report.results if isinstance(one, Result)} - {"overfitting"}
