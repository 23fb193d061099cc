"""Each countermeasure changes just its own part of the recipe, or says why it does not apply."""

from __future__ import annotations

import pytest

from audit.config.recipe import Recipe, parse
from audit.mitigation.countermeasures import KNOWN, candidates
from probes.errors import ConfigError
from probes.texts import said
from tests.audit.conftest import small_recipe


def recipe(**changes: object) -> Recipe:
    return parse(small_recipe(**changes), "test")


def one(asked: str, **changes: object) -> Recipe:
    found = candidates(recipe(**changes), [asked], 8)
    assert not found.refused
    return found.recipes[0].recipe


def refusal(asked: str, side: int | None = 8, **changes: object) -> str:
    found = candidates(recipe(**changes), [asked], side)
    assert not found.recipes
    return said(found.refused[next(iter(found.refused))])


def test_each_changes_its_own_part_alone() -> None:
    base = recipe()
    found = candidates(base, [], 8)
    assert found.refused == {}
    assert {candidate.name.partition("=")[0] for candidate in found.recipes} == set(KNOWN)
    parts = {
        "l1": {"regularise"},
        "l2": {"regularise"},
        "l2-sp": {"regularise"},
        "wise-ft": {"regularise"},
        "dropout": {"head"},
        "early-stopping": {"train"},
        "features": {"transfer"},
        "lp-ft": {"transfer"},
        "augment": {"augment"},
        "dp": {"privacy"},
    }
    for candidate in found.recipes:
        changed = {name for name in Recipe.model_fields if getattr(candidate.recipe, name) != getattr(base, name)}
        assert changed == parts[candidate.name.partition("=")[0]]


def test_strengths_are_usual_or_given() -> None:
    assert one("l2-sp").regularise.l2_sp == 0.01
    assert one("l2-sp=0.5").regularise.l2_sp == 0.5
    privacy = one("dp=2").privacy
    assert privacy is not None
    assert privacy.epsilon == 2
    assert one("augment").augment[0].model_extra == {"size": 8, "padding": 1}


def test_no_way_back_where_nothing_of_the_source_was_trained() -> None:
    assert one("wise-ft=0.5").regularise.source_share == 0.5
    assert "only the head" in refusal("wise-ft", transfer="features")
    assert "the source itself" in refusal("wise-ft=1")


def test_dp_takes_the_place_of_what_it_does_not_cover() -> None:
    changed = one("dp", regularise={"l2": 0.1, "bss": 0.1}, train={"epochs": 6, "clip_norm": 1.0}, transfer="lp-ft")
    assert (changed.regularise.l2, changed.regularise.bss) == (0.1, 0)
    assert changed.train.clip_norm is None
    assert changed.train.epochs == 6
    assert changed.transfer.mode == "parameters"


def test_what_does_not_apply_says_why() -> None:
    assert "already" in refusal("l2=0.1", regularise={"l2": 0.2})
    assert "already" in refusal("features", transfer="features")
    assert "already" in refusal("dp=8", privacy={"epsilon": 3})
    assert "images" in refusal("augment", side=None)
    assert "split.validation" in refusal("early-stopping", split={"members": 100, "held_out": 100})
    assert "one phase" in refusal("lp-ft", privacy={"epsilon": 3})
    assert "a single epoch" in refusal("lp-ft", train={"epochs": 1})
    assert "on the members" in refusal("dp", input={"normalise": "members"})


@pytest.mark.parametrize(("epochs", "expected"), [(2, 1), (7, 3), (20, 5)])
def test_lp_ft_leaves_epochs_for_everything(epochs: int, expected: int) -> None:
    assert one("lp-ft", train={"epochs": epochs}).transfer.lp_epochs == expected


@pytest.mark.parametrize(("asked", "said"), [("l2sp", "l2-sp"), ("l2=-1", "strength"), ("features=3", "no strength")])
def test_unknown_names_and_strengths_are_refused(asked: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        candidates(recipe(), [asked], 8)
