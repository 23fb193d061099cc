"""Predictions alone: read from each format, in the shapes people have them, else refused in one line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import audit
from audit.evidence.predictions import read
from probes.errors import DataError, InputError
from probes.result import Failure
from probes.texts import said

ONLY = {"probes": {"overfitting": {"enabled": False}}}


def made(leaking: float, shadows: int = 0) -> dict[str, Any]:
    """A model whose members' margins are higher by `leaking`, and shadow models alike."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 300)
    difficulty = rng.normal(0, 1, 300)

    def model(member: np.ndarray) -> np.ndarray:
        logits = rng.normal(0, 0.5, (300, 3))
        logits[np.arange(300), labels] += 1 + difficulty + leaking * member
        return logits

    members = np.arange(300) < 150
    found: dict[str, Any] = {"outputs": model(members), "labels": labels, "members": members}
    if shadows:
        masks = np.array([rng.permutation(300) < 150 for _ in range(shadows)])
        found |= {"shadow_outputs": np.stack([model(mask) for mask in masks]), "shadow_members": masks}
    return found


def values(report: Any) -> dict[str, float]:
    assert not [result for result in report.results if isinstance(result, Failure)], report.results
    return {one.name: one.value for result in report.results for one in result.estimates}


def test_without_shadow_models_only_plain_attacks_are_reported() -> None:
    report = audit.run(audit.Predictions(**made(3.0)), config=ONLY)
    assert values(report)["checkpoint.auc"] > 0.8
    assert not any(name.startswith("recipe.") for name in values(report))
    assert report.verdict.status != "pass"
    limits = " ".join(map(str, report.audit["limits"]))  # type: ignore[arg-type]
    assert "No shadow models" in limits
    assert "Not run because samples or a model are missing: Contamination, Interpretability drift." in limits
    assert values(audit.run(audit.Predictions(**made(0.0)), config=ONLY))["checkpoint.auc"] < 0.65


def test_with_shadow_models_there_is_a_recipe_and_attacks_are_calibrated() -> None:
    report = audit.run(audit.Predictions(**made(1.5, shadows=16)), config=ONLY)
    found = values(report)
    assert {"recipe.auc", "fidelity.held_out_accuracy"} <= set(found)
    assert found["checkpoint.auc"] > 0.7
    assert report.audit["replicas"] == {"splits": 16}


def test_shadow_models_that_are_too_few_are_not_used_and_that_is_said() -> None:
    seen = audit.Predictions(**made(1.0, shadows=2)).evidence()
    assert len(seen.population) == 0
    assert any("Too few shadow models" in said(limit) for limit in seen.limits)


def test_every_format_says_the_same(tmp_path: Path) -> None:
    data = made(1.0, shadows=8)
    np.savez(tmp_path / "a.npz", logits=data["outputs"], **{k: v for k, v in data.items() if k != "outputs"})
    frame = pd.DataFrame({"label": data["labels"], "member": data["members"].astype(int), "id": range(300)})
    for one in range(3):
        frame[f"logit_{one}"] = data["outputs"][:, one]
        for shadow in range(8):
            frame[f"shadow_{shadow}_logit_{one}"] = data["shadow_outputs"][shadow, :, one]
    for shadow in range(8):
        frame[f"shadow_{shadow}_member"] = data["shadow_members"][shadow].astype(int)
    frame.to_csv(tmp_path / "b.csv", index=False)
    frame.to_parquet(tmp_path / "c.parquet")
    first = read(tmp_path / "a.npz").evidence()
    other = "sep=;\n" + frame.to_csv(sep=";", decimal=",", index=False)
    (tmp_path / "d.csv").write_text(other, encoding="utf-8")
    for name in ("b.csv", "c.parquet", "d.csv"):
        other = read(tmp_path / name).evidence()
        np.testing.assert_allclose(other.audited.margin, first.audited.margin, rtol=1e-5)
        np.testing.assert_allclose(other.population.answers.margin, first.population.answers.margin, rtol=1e-5)
        assert (other.population.keep == first.population.keep).all()
        assert (other.pool.member == first.pool.member).all()


def test_probabilities_and_logits_of_one_model_are_the_same_evidence() -> None:
    data = made(1.0)
    p = np.exp(data["outputs"]) / np.exp(data["outputs"]).sum(1, keepdims=True)
    given, other = (audit.Predictions(**data | {"outputs": one}).evidence() for one in (data["outputs"], p))
    np.testing.assert_allclose(other.audited.margin, given.audited.margin, rtol=1e-4, atol=1e-5)
    yes = audit.Predictions(outputs=[0.9, 0.2, 0.6], labels=[1, 0, 1], members=[0])
    np.testing.assert_allclose(yes.evidence().audited.confidence[0], [0.9, 0.8, 0.6], rtol=1e-6)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"outputs": np.full((300, 3), np.nan)}, "NaN or infinity at (0, 0)"),
        ({"outputs": np.zeros((300, 3, 2))}, "outputs have shape (300, 3, 2)"),
        ({"outputs": np.full((300, 3), "a")}, "not numbers"),
        ({"labels": [0, 1]}, "labels are int64 of shape (2,)"),
        ({"labels": np.full(300, 7)}, "labels run from 7 to 7"),
        ({"members": None}, "which samples trained"),
        ({"members": [999]}, "members are neither"),
        ({"shadow_outputs": np.zeros((2, 300, 3))}, "which samples trained the shadow models"),
        ({"shadow_outputs": np.zeros((2, 300, 3)), "shadow_members": np.ones((3, 300))}, "shadow_members are"),
        ({"shadow_outputs": np.zeros((2, 300, 4)), "shadow_members": np.ones((2, 300))}, "shadow_outputs have shape"),
        ({"shadow_outputs": np.zeros((1, 300, 3)), "shadow_members": np.zeros((1, 300))}, "no member"),
        ({"texts": ["one"]}, "1 texts for 300"),
        ({"classes": ["a"]}, "1 class names for 3"),
    ],
)
def test_what_does_not_fit_is_one_line(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=re.escape(says)) as caught:
        audit.run(audit.Predictions(**made(0.0) | changes), config=ONLY)
    assert "\n" not in str(caught.value)


def test_files_that_are_none_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04")
    (tmp_path / "b.csv").write_text("label,prob_0,prob_1\n0,0.5,0.5\n")
    (tmp_path / "c.txt").write_text("")
    (tmp_path / "d.csv").write_text("label,member\n0,1\n")
    (tmp_path / "e.parquet").write_bytes(b"PAR1")
    np.savez(tmp_path / "f.npz", logits=np.zeros((2, 2)), lables=[0, 1])
    said = ("plain arrays", "has no members", "a .txt", "no columns logit_0", "cannot be read", "'labels'")
    for path, says in zip(sorted(tmp_path.iterdir()), said, strict=True):
        with pytest.raises(DataError, match=re.escape(says)):
            read(path)


def test_probes_that_predictions_do_not_suffice_for_are_undecided_never_a_pass() -> None:
    report = audit.run(audit.Predictions(**made(0.0, shadows=16)), config=ONLY)
    unseen = {check.probe: check.status for check in report.verdict.checks if check.probe in ("contamination", "drift")}
    assert unseen == {"contamination": "undecided", "drift": "undecided"}
    assert report.verdict.status == "undecided"
    again = audit.run(audit.Predictions(**made(0.0, shadows=16)), config=ONLY, baseline=report)
    assert again.comparison is not None
    assert {one.status for one in again.comparison.differences} <= {"same", "untested"}


@pytest.mark.parametrize(
    ("member", "says"),
    [
        (["yes", "no"], "member is not 0 or 1, true or false"),  # every word would be a member
        ([1, 2], "member is not 0 or 1"),
        ([True, False], None),
        ([1.0, 0.0], None),
    ],
)
def test_who_is_a_member_is_not_guessed(tmp_path: Path, member: list, says: str | None) -> None:
    rows = "".join(f"{0.1 * i},{-0.1 * i},{i % 2},{member[i % 2]}\n" for i in range(40))
    (tmp_path / "p.csv").write_text(f"logit_0,logit_1,label,member\n{rows}", encoding="utf-8")
    if says is None:
        assert read(tmp_path / "p.csv").pool().member.tolist() == [i % 2 == 0 for i in range(40)]
        return
    with pytest.raises(DataError, match=says):
        read(tmp_path / "p.csv")


def test_an_archive_of_predictions_takes_no_memory_on_its_word(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "p.npz", outputs=np.zeros((20_000_000, 2), np.float16), labels=[0], members=[0])
    with pytest.raises(DataError, match="it was not read"):
        read(tmp_path / "p.npz")


def test_groups_without_a_name_share_none_and_names_written_differently_are_one() -> None:
    labels, outputs = np.arange(6) % 2, np.zeros((6, 2))
    given = audit.Predictions(outputs=outputs, labels=labels, members=[0, 2], groups=["P1", "p1 ", "", "", "7", "007"])
    evidence = given.evidence()
    assert evidence.pool.groups is not None
    one, other, *nameless, seven, same = evidence.pool.groups.tolist()
    assert (one, seven) == (other, same)
    assert len({one, seven, *nameless}) == 4
    codes = [getattr(one, "code", "") for one in evidence.limits]
    assert {"audit.data-groups-alike", "audit.data-no-group"} <= set(codes)
