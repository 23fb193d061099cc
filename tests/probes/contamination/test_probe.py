"""The whole probe on planted copies, a planted column, and data without either."""

from __future__ import annotations

import dataclasses
import datetime
import re

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from audit.config.audit_config import Config
from probes.contamination import Contamination
from probes.contamination.near_pictures import near_pictures
from probes.measures.embedding import Embedding
from probes.message import Message
from probes.observable import Observation
from probes.plan import Plan, Pool, Splits
from probes.result import Gallery, Table
from probes.texts import said
from reports.gate.judge import judge
from reports.legacy_attributes import of_estimate
from tests.probes.contamination.planted import FAR, NEAR, equal, photographs, plant, small_photographs
from tests.probes.contamination.untrained import audit, codes, dummies, halves, untrained
from tests.probes.overfitting.trained import digits, evidence, make_pool
from tests.probes.truth import untrue


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return photographs()


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2])
def test_exact_copies_are_found_and_nothing_else(pictures: np.ndarray, share: float) -> None:
    rng = np.random.default_rng(2)
    member = halves(len(pictures), rng)
    planted, _, where = plant(pictures, member, share, equal, rng)
    result = audit(planted, member)
    assert result["exact_duplicates_across_split"].value == len(where)
    assert set(np.flatnonzero(result.per_sample["contaminated"])) >= set(where)
    assert "contamination.across-split" in codes(result)


@pytest.mark.parametrize("share", [0.05, 0.2])
@pytest.mark.parametrize("change", list(NEAR))
def test_near_copies_are_found(pictures: np.ndarray, change: str, share: float) -> None:
    """Recall at least 90 %, precision at least 95 %, of contaminated held-out samples."""
    rng = np.random.default_rng(3)
    member = halves(len(pictures), rng)
    planted, _, where = plant(pictures, member, share, NEAR[change], rng)
    found = np.flatnonzero(audit(planted, member).per_sample["contaminated"])
    hits = len(set(found) & set(where))
    assert hits >= 0.9 * len(where)
    assert hits >= 0.95 * len(found)


@pytest.mark.parametrize("change", list(FAR))
def test_copies_that_were_moved_turned_cropped_or_recoloured_are_found(pictures: np.ndarray, change: str) -> None:
    """Recall at least 90 %, no false pair."""
    rng = np.random.default_rng(3)
    member = halves(len(pictures), rng)
    planted, whom, where = plant(pictures, member, 0.2, FAR[change], rng)
    found = near_pictures(planted, None, rng)
    told = {frozenset(pair) for pair in zip(found.one.tolist(), found.other.tolist(), strict=True)}
    source = dict(zip(where.tolist(), whom.tolist(), strict=True))
    true = {frozenset((one, source[one])) for one in source}
    # Two copies of one image are copies of each other.
    assert all(source.get(one, one) == source.get(other, other) for one, other in map(tuple, told))
    assert len(told & true) >= 0.9 * len(true)


def test_one_member_with_many_copies_is_found_in_each(pictures: np.ndarray) -> None:
    rng = np.random.default_rng(15)
    member = halves(len(pictures), rng)
    where = np.flatnonzero(~member)[:40]
    planted = pictures.copy()
    for place, target in enumerate(where):
        # Each is darker than the one before: forty different near copies of one image.
        planted[target] = (pictures[member][0] * (0.99 - 0.01 * place)).astype(np.uint8)
    assert set(np.flatnonzero(audit(planted, member).per_sample["contaminated"])) == set(where)


@pytest.mark.parametrize("side", [8, 12, 16, 24])
@pytest.mark.parametrize("change", list(NEAR))
def test_near_copies_of_small_images_are_found(change: str, side: int) -> None:
    """The same recall and precision from 8 × 8 pixels up, and no copies if there are none."""
    rng = np.random.default_rng(3)
    pictures = small_photographs(side)
    member = halves(len(pictures), rng)
    planted, _, where = plant(pictures, member, 0.2, NEAR[change], rng)
    found = np.flatnonzero(audit(planted, member).per_sample["contaminated"])
    hits = len(set(found) & set(where))
    assert hits >= 0.9 * len(where)
    assert hits >= 0.95 * len(found)
    assert audit(pictures, member)["contaminated_share"].value == 0


def test_clean_photographs_and_clean_digits_are_quiet(pictures: np.ndarray) -> None:
    rng = np.random.default_rng(4)
    result = audit(pictures, halves(len(pictures), rng))
    assert result["contaminated_share"].value == 0
    assert result["contaminated_share"].decided_by == of_estimate("contamination", "contaminated_share")["decided_by"]
    assert "contamination.none" in codes(result)
    inputs, labels = digits(1000, rng)
    look_alikes = np.round(inputs * 255).astype(np.uint8).reshape(-1, 8, 8, 1)
    assert audit(look_alikes, halves(1000, rng), labels)["contaminated_share"].value <= 0.006


def test_pairs_are_listed_with_both_indices_and_shown(pictures: np.ndarray) -> None:
    rng = np.random.default_rng(5)
    member = halves(len(pictures), rng)
    planted, whom, where = plant(pictures, member, 0.05, NEAR["mirrored"], rng)
    result = audit(planted, member)
    table = next(figure for figure in result.figures if isinstance(figure, Table) and figure.name == "duplicate-pairs")
    listed = {frozenset(pair) for pair in zip(table.columns["sample"], table.columns["copy"], strict=True)}
    assert {frozenset((int(i), int(j))) for i, j in zip(whom, where, strict=True)} <= listed
    assert "mirrored" in set(table.columns["how"])
    gallery = next(figure for figure in result.figures if isinstance(figure, Gallery))
    row = gallery.rows[0]
    assert len(row.pictures) == len(gallery.headings) == 3
    np.testing.assert_array_equal(row.pictures[0], planted[row.sample])
    # A mirrored copy differs in nothing once the mirror is undone.
    assert not row.pictures[2].any()


def test_every_kind_of_copy_is_shown(pictures: np.ndarray) -> None:
    """Twenty exact pairs do not crowd out the near ones."""
    rng = np.random.default_rng(14)
    member = halves(len(pictures), rng)
    members, others = np.flatnonzero(member), np.flatnonzero(~member)
    planted = pictures.copy()
    planted[others[:20]] = planted[members[:20]]
    for place, change in enumerate(NEAR.values()):
        for k in range(20 + 2 * place, 22 + 2 * place):
            planted[others[k]] = change(pictures[members[k]], rng)
    gallery = next(figure for figure in audit(planted, member).figures if isinstance(figure, Gallery))
    kinds = [said(row.title).rpartition(": ")[2] for row in gallery.rows]
    assert kinds.count("exact") < len(kinds) - 6
    assert {"exact", "mirrored", "moved by a pixel", "changed in colour or brightness, or compressed"} <= set(kinds)


def test_the_inflated_figure_is_corrected() -> None:
    """A model that recalls its members is right on copies of them: without the copies it is that of new ones."""
    rng = np.random.default_rng(6)
    inputs, labels = digits(1200, rng)
    coarse = inputs + rng.normal(0, 0.55, inputs.shape)
    pool = make_pool(labels, 600, 600, rng)
    held_out, members = np.flatnonzero(pool.held_out), np.flatnonzero(pool.member)
    where = rng.choice(held_out, 120, replace=False)
    whom = rng.choice(members, 120, replace=False)
    honest = evidence(coarse, pool, lambda x, y: KNeighborsClassifier(1).fit(x, y))
    fresh = honest.audited.correct(labels)[0][np.setdiff1d(held_out, where)].mean()
    coarse[where] = coarse[whom]
    told = labels.copy()
    told[where] = labels[whom]
    cheated = Pool(labels=told, member=pool.member, held_out=pool.held_out, validation=pool.validation)
    made = evidence(coarse, cheated, lambda x, y: KNeighborsClassifier(1).fit(x, y), modality="table")
    result = Contamination(near=False)(made, np.random.default_rng(0))
    assert result["held_out_accuracy_clean"].value == pytest.approx(fresh)
    assert result["accuracy_inflation"].low > 0.02
    inflated = made.audited.correct(told)[0][held_out].mean()
    assert result["accuracy_inflation"].value == pytest.approx(inflated - fresh)
    assert untrue(result) == []


def test_cross_validated_figures_are_corrected_too() -> None:
    """Copies lie on both sides of folds: without them a recall of members is worth what it is on new samples."""
    rng = np.random.default_rng(16)
    inputs, labels = digits(800, rng)
    coarse = inputs + rng.normal(0, 0.55, inputs.shape)
    coarse[400:560], labels[400:560] = coarse[:160], labels[:160]
    pool = Pool(
        labels=labels, member=np.arange(800) < 400, held_out=np.arange(800) >= 400, validation=np.zeros(800, bool)
    )
    made = evidence(
        coarse, pool, lambda x, y: KNeighborsClassifier(1).fit(x, y), Plan.of(Splits(repeats=2)), modality="table"
    )
    result = Contamination(near=False)(made, rng)
    table = next(one for one in result.figures if isinstance(one, Table) and one.name == "clean")
    row = list(table.columns["figure"]).index("accuracy, cross-validated")
    once = np.ones(800, dtype=bool)
    once[400:560] = False
    expected, told = [], []
    for replica in made.population.rows:
        correct = KNeighborsClassifier(1).fit(coarse[replica.keep], labels[replica.keep]).predict(coarse) == labels
        told.append(correct[~replica.keep].mean())
        twin = np.r_[np.arange(400, 560), np.arange(160, 400), np.arange(160), np.arange(560, 800)]
        fresh = ~replica.keep & ~(replica.keep[twin] & (twin != np.arange(800)))
        expected.append(correct[fresh].mean())
    assert table.columns["all held out"][row] == pytest.approx(np.mean(told), abs=1e-4)
    assert table.columns["without copies"][row] == pytest.approx(np.mean(expected), abs=1e-4)
    assert np.mean(told) > np.mean(expected) + 0.02


def test_copies_with_other_labels_are_conflicts(pictures: np.ndarray) -> None:
    rng = np.random.default_rng(7)
    member = halves(len(pictures), rng)
    planted, whom, where = plant(pictures, member, 0.05, equal, rng)
    labels = np.zeros(len(pictures), dtype=np.int64)
    labels[::2] = 1
    labels[where] = labels[whom]
    labels[where[:3]] = 1 - labels[whom[:3]]
    result = audit(planted, member, labels)
    assert result["conflicting_labels"].value == 3
    assert "contamination.conflicting-labels" in codes(result)


def test_a_column_that_gives_the_label_away_is_found() -> None:
    rng = np.random.default_rng(8)
    labels = rng.integers(0, 3, 600)
    table = rng.normal(size=(600, 6)) + 0.3 * labels[:, None]
    # No monotone function of the label: 0 → 5, 1 → 1, 2 → 9.
    leaking = table.copy()
    leaking[:, 4] = np.array([5.0, 1.0, 9.0])[labels] + rng.normal(0, 0.02, 600)
    names = tuple("abcdef")
    member = halves(600, rng)
    result = audit(leaking, member, labels, modality="table", feature_names=names)
    finding = next(one for one in result.findings if one.code == "contamination.leaking-column")
    assert finding.values["column"] == "e"
    assert finding.severity == "high"
    sound = audit(table, member, labels, modality="table", feature_names=names)
    assert "contamination.leaking-column" not in codes(sound)
    assert sound["leaking_column_auc"].high < 0.9
    assert untrue(result) == untrue(sound) == []


SHAPES = {
    "a word a class": lambda label, rng: f"s{label}",
    "many words a class": lambda label, rng: f"{rng.integers(4)}-{'xyz'[label]}",
    "a rare class": lambda label, rng: "open" if label else "closed",
    "words that share letters": lambda label, rng: ("AB", "BA", "AA")[label],
}
"""How a column of words gives the label away."""


@pytest.mark.parametrize("size", [100, 600])
@pytest.mark.parametrize("shape", list(SHAPES))
def test_a_column_of_words_that_gives_the_label_away_is_one_column(shape: str, size: int) -> None:
    rng = np.random.default_rng(10)
    shares = [0.94, 0.06] if shape == "a rare class" else [0.4, 0.3, 0.3]
    labels = rng.choice(len(shares), size=size, p=shares)
    noise = rng.normal(size=(size, 3))
    told, named = dummies([SHAPES[shape](int(label), rng) for label in labels])
    names = ("a", "b", "c", *named)
    member = halves(size, rng)
    result = audit(np.hstack([noise, told]), member, labels, modality="table", feature_names=names)
    finding = next(one for one in result.findings if one.code == "contamination.leaking-column")
    assert finding.values["column"] == "status"
    assert result["leaking_column_auc"].value > 0.97
    table = next(one for one in result.figures if one.name == "columns")
    assert isinstance(table, Table)
    assert set(table.columns["column"]) == {"status", "a", "b", "c"}
    default = Config().gate()
    gate = dataclasses.replace(
        default, thresholds=tuple(one for one in default.thresholds if one.estimate == "leaking_column_auc")
    )
    assert judge([result], gate, today=datetime.date(2026, 1, 1)).status in ("fail", "undecided")


CODES = {
    "a number a class": lambda labels, rng: 10.0 * labels,
    "numbers in another order": lambda labels, rng: np.array([3.0, 0.0, 5.0, 1.0, 4.0, 2.0])[labels],
    "many numbers a class": lambda labels, rng: labels + 6.0 * rng.integers(0, 2, len(labels)),
    "a number with noise": lambda labels, rng: labels + rng.normal(0, 0.05, len(labels)),
    "a few errors": lambda labels, rng: np.where(rng.random(len(labels)) < 0.02, 1.0 * rng.integers(6), labels),
}
"""How a column of numbers gives one of six classes away."""


@pytest.mark.parametrize("size", [72, 150, 600])
@pytest.mark.parametrize("shape", list(CODES))
def test_a_column_of_codes_that_gives_the_label_away_is_found_in_few_samples(shape: str, size: int) -> None:
    """A tree whose leaves hold five samples cannot tell six classes apart in thirty."""
    rng = np.random.default_rng(12)
    labels = rng.permutation(np.arange(size) % 6)
    noise = rng.normal(size=(size, 3))
    column = CODES[shape](labels, rng)[:, None]
    names = ("a", "b", "c", "d")
    result = audit(np.hstack([noise, column]), halves(size, rng), labels, modality="table", feature_names=names)
    finding = next(one for one in result.findings if one.code == "contamination.leaking-column")
    assert finding.values["column"] == "d"


@pytest.mark.parametrize("size", [72, 600])
def test_codes_that_say_nothing_of_the_label_are_not_accused(size: int) -> None:
    rng = np.random.default_rng(13)
    labels = rng.permutation(np.arange(size) % 6)
    column = rng.integers(0, 6, (size, 1)).astype(np.float64)
    result = audit(column, halves(size, rng), labels, modality="table", feature_names=("d",))
    assert "contamination.leaking-column" not in codes(result)


def test_words_that_say_nothing_of_the_label_are_not_accused() -> None:
    rng = np.random.default_rng(11)
    labels = rng.integers(0, 3, 600)
    told, named = dummies([f"w{rng.integers(40)}" for _ in labels])
    result = audit(told, halves(600, rng), labels, modality="table", feature_names=named)
    assert "contamination.leaking-column" not in codes(result)
    assert result["leaking_column_auc"].value == pytest.approx(0.5, abs=0.1)


def test_duplicate_rows_of_a_table_are_found() -> None:
    rng = np.random.default_rng(9)
    table = rng.normal(size=(400, 8))
    member = np.arange(400) < 200
    table[300:310] = table[:10]
    table[310:320] = table[10:20] + 1e-5
    result = audit(table, member, modality="table")
    assert result["exact_duplicates_across_split"].value == 10
    assert result["near_duplicates_across_split"].value == 10
    pairs = next(one for one in result.figures if isinstance(one, Table) and one.name == "duplicate-pairs")
    assert set(pairs.columns["how"]) == {"exact", "nearly equal"}
    assert "image" not in said(pairs.caption)


def test_groups_on_both_sides_and_source_copies_are_found(pictures: np.ndarray) -> None:
    rng = np.random.default_rng(10)
    small = pictures[:200]
    member = halves(200, rng)
    groups = np.arange(200) // 2
    held_out = np.flatnonzero(~member)
    source = np.concatenate([pictures[200:260], small[held_out[:5]], small[held_out[5:8], :, ::-1]])
    result = audit(small, member, groups=groups, source_inputs=source)
    assert {"contamination.groups-across-split", "contamination.source"} <= codes(result)
    assert result["source_contaminated_share"].counts == (8, len(held_out))


def test_source_features_find_candidates_too(pictures: np.ndarray) -> None:
    """For modalities without pixels, copies are searched by a feature that identifies them."""
    rng = np.random.default_rng(11)
    features = rng.normal(size=(400, 32)).astype(np.float32)
    member = np.arange(400) < 200
    features[300:310] = features[:10] + rng.normal(0, 1e-3, (10, 32))
    seen = {Embedding(): {"source": Observation(samples=np.arange(400), arrays={"embedding": features})}}
    texts = np.array([f"sentence {i}" for i in range(400)])
    result = audit(texts, member, modality="text", observations=seen)
    assert result["near_duplicates_across_split"].value == 10


def test_no_hash_of_a_record_is_published(pictures: np.ndarray) -> None:
    rng = np.random.default_rng(12)
    member = halves(len(pictures), rng)
    planted, _, _ = plant(pictures, member, 0.05, equal, rng)
    result = audit(planted, member)
    told = repr((result.estimates, result.findings, result.notes, [f for f in result.figures if isinstance(f, Table)]))
    assert not re.search(r"(?<![\d.])(?=\d*[a-f])[0-9a-f]{16,}", told)
    # Numbers of groups are counted, not derived from content.
    assert result.per_sample["duplicate_group"].max() < len(pictures)


def test_same_evidence_and_seed_same_result(pictures: np.ndarray) -> None:
    rng = np.random.default_rng(13)
    member = halves(200, rng)
    made = untrained(plant(pictures[:200], member, 0.1, NEAR["compressed"], rng)[0], member)
    one, other = (Contamination()(made, np.random.default_rng(0)) for _ in range(2))
    assert one.estimates == other.estimates
    assert one.findings == other.findings


def test_groups_under_names_that_are_written_differently_are_on_both_sides() -> None:
    """Typed with other case or spaces, and numbers that lost zeros or were read with decimals."""
    rng = np.random.default_rng(12)
    written = ("P1", "p1 ", "007", "7", "12.0", "12", "p3", "p4", "(none)", "(none)")
    groups = np.repeat(np.arange(len(written)), 20)
    member = np.isin(groups, [0, 2, 4, 6, 8])
    rows = rng.normal(size=(200, 4)).astype(np.float32)
    given = untrained(rows, member, modality="table", groups=groups)
    result = Contamination()(dataclasses.replace(given, group_names=written), rng)
    (finding,) = [one for one in result.findings if one.code == "contamination.groups-across-split"]
    assert result["group_shared_share"].counts == (60, 100)
    assert finding.values["alike"] == Message("contamination.groups-alike", {"count": 60, "one": "p1 ", "other": "P1"})
    apart = untrained(rows, np.isin(groups, [6, 8, 2, 3]), modality="table", groups=groups)
    result = Contamination()(dataclasses.replace(apart, group_names=written), rng)
    assert result["group_shared_share"].counts == (0, 120)
