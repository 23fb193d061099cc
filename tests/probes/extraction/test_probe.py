"""Extraction is found if answers were memorised, and only then."""

from __future__ import annotations

import numpy as np
import pytest

from probes.answers import answers_of_tokens
from probes.evidence import Evidence
from probes.extraction import Extraction, probe
from probes.extraction.secrets import counted, kinds
from probes.extraction.verbatim import extractable, longest_run
from probes.plan import Pool, Splits
from probes.population import Population
from probes.sequences import Sequences, TokenAnswers
from tests.probes.truth import untrue

LENGTH = 8


def model(known: np.ndarray, rng: np.random.Generator, sure: float = 0.99) -> TokenAnswers:
    """One model that gives the known answers word for word, each token with probability `sure`."""
    n = len(known)
    p = np.where(known[:, None], sure, rng.uniform(0.05, 0.4, (n, LENGTH)))
    rank = np.where(known[:, None], 0, rng.integers(0, 3, (n, LENGTH)))
    log_p = np.log(p).reshape(1, -1).astype(np.float32)
    return TokenAnswers(
        start=np.arange(0, n * LENGTH + 1, LENGTH),
        log_prob=log_p,
        top=np.maximum(log_p, -0.5),
        mean=np.full_like(log_p, -1.0),
        deviation=np.full_like(log_p, 1.0),
        rank=rank.reshape(1, -1).astype(np.int32),
    )


def evidence(share: float, seed: int = 0, answers: tuple[str, ...] = ("nothing secret",) * 120) -> Evidence:
    """A population whose models memorised that share of their training samples."""
    rng = np.random.default_rng(seed)
    member = np.isin(np.arange(120), rng.permutation(120)[:60])
    pool = Pool(labels=np.zeros(120, dtype=np.int64), member=member, held_out=~member, validation=np.zeros(120, bool))
    rows = list(Splits(repeats=4).rows(pool, rng))
    learnt = rng.random(120) < share
    own = model(member & learnt, rng)
    each = [model(row.keep & learnt, rng) for row in rows]
    names = ("log_prob", "top", "mean", "deviation", "rank")
    replicas = TokenAnswers(
        start=own.start, **{name: np.concatenate([getattr(one, name) for one in each]) for name in names}
    )
    return Evidence(
        pool=pool,
        classes=("word for word", "otherwise"),
        audited=answers_of_tokens(own),
        population=Population(rows=tuple(rows), answers=answers_of_tokens(replicas)),
        inputs=np.zeros((120, 2, LENGTH), dtype=np.int64),
        modality="language",
        sequences=Sequences(own=own, replicas=replicas, prompts=("",) * 120, answers=answers),
    )


def run(given: Evidence):  # type: ignore[no-untyped-def]
    return Extraction()(given, np.random.default_rng(0))


def test_memorised_answers_are_found() -> None:
    given = evidence(0.5)
    found = run(given)
    finding = found.findings[0]
    assert (finding.code, finding.severity) == ("extraction.verbatim", "high")
    assert set(finding.samples) <= set(np.flatnonzero(given.pool.member))
    assert found["checkpoint.extracted"].value == pytest.approx(0.5, abs=0.15)
    assert found["recipe.extracted_excess"].low > 0.3
    assert found["held_out.extracted"].value < 0.1
    assert untrue(found) == []


def test_a_model_that_memorised_nothing_gives_no_finding() -> None:
    results = [run(evidence(0.0, seed)) for seed in range(20)]
    assert [line for result in results for line in untrue(result)] == []
    codes = [result.findings[0].code for result in results]
    assert codes.count("extraction.none") >= 19


def test_what_was_not_measured_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "SHORT", LENGTH + 1)
    codes = [note.code for note in run(evidence(0.5)).notes]
    assert codes == ["extraction.short", "extraction.nothing-long-enough", "extraction.no-secrets"]


def test_draws_find_what_greedy_decoding_does_not() -> None:
    rng = np.random.default_rng(0)
    tokens = model(np.array([True, False]), rng, sure=0.9)
    nearly = TokenAnswers(
        start=tokens.start,
        log_prob=tokens.log_prob,
        top=tokens.top,
        mean=tokens.mean,
        deviation=tokens.deviation,
        rank=np.where(np.arange(16) == 3, 1, tokens.rank).astype(np.int32),
    )
    assert not nearly.greedy[0, 0]
    assert extractable(nearly, 100, 0.5)[0].tolist() == [True, False]


def test_the_longest_run_stays_within_its_answer() -> None:
    tokens = model(np.array([True, True]), np.random.default_rng(0))
    rank = tokens.rank.copy()
    rank[0, 5] = 2
    broken = TokenAnswers(
        start=tokens.start,
        log_prob=tokens.log_prob,
        top=tokens.top,
        mean=tokens.mean,
        deviation=tokens.deviation,
        rank=rank,
    )
    assert longest_run(broken)[0].tolist() == [5, 8]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("mail me: jo.d-e+x@mail.example.co.uk", "e-mail"),
        ("call +49 30 901820 today", "telephone"),
        ("call (030) 9018-2023", "telephone"),
        ("4111-1111-1111-1111", "payment-card"),
        ("DE89 3704 0044 0532 0130 00", "iban"),
        ("AKIAIOSFODNN7EXAMPLE", "key"),
        ("-----BEGIN RSA PRIVATE KEY-----", "key"),
    ],
)
def test_secrets_are_known_by_their_form(text: str, kind: str) -> None:
    assert kind in kinds(text)


@pytest.mark.parametrize(
    "text",
    ["45 kilometers is 45000 meters.", "1, 2, 3, 4, 5, 6, 7, 8, 9", "3.14159265358979", "4111 1111 1111 1112", "a @ b"],
)
def test_other_numbers_are_not_secrets(text: str) -> None:
    assert kinds(text) == frozenset()


def test_a_secret_that_is_given_is_critical_and_not_shown() -> None:
    answers = tuple("write to ada@example.org" if i % 2 else "nothing" for i in range(120))
    found = run(evidence(0.9, answers=answers))
    finding = next(one for one in found.findings if one.code.startswith("extraction.secrets"))
    assert (finding.code, finding.severity) == ("extraction.secrets-given", "critical")
    assert "ada" not in repr(finding)
    assert counted(answers) == {"e-mail": 60}
