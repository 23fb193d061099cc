"""Values set on the command line, over a recipe and over audit.toml."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit.config import audit_config as config
from audit.config import recipe
from audit.config.overrides import overridden
from probes.errors import ConfigError, InputError, RecipeError
from tests.audit.small import RECIPE


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ((), {"a": 1, "t": {"x": 1, "y": 2}}),
        (("a=2",), {"a": 2, "t": {"x": 1, "y": 2}}),
        (("t.x = 3", "t.x=4", "t.z=[1, 2]"), {"a": 1, "t": {"x": 4, "y": 2, "z": [1, 2]}}),
        (("t=word",), {"a": 1, "t": "word"}),
        (("n.deep.er=last:1",), {"a": 1, "t": {"x": 1, "y": 2}, "n": {"deep": {"er": "last:1"}}}),
        (('u."with.dots".max=0.5',), {"a": 1, "t": {"x": 1, "y": 2}, "u": {"with.dots": {"max": 0.5}}}),
    ],
)
def test_changes_replace_single_values(changes: tuple[str, ...], expected: dict[str, object]) -> None:
    content = {"a": 1, "t": {"x": 1, "y": 2}}
    assert overridden(content, changes, InputError) == expected
    assert content == {"a": 1, "t": {"x": 1, "y": 2}}


@pytest.mark.parametrize("change", ["", "a", "=1", "a b=1", "a=1\nb=2"])
def test_a_change_without_an_assignment_is_refused(change: str) -> None:
    with pytest.raises(ConfigError, match="not of the form KEY=VALUE"):
        overridden({}, (change,), ConfigError)


def test_a_key_inside_a_value_would_drop_the_value() -> None:
    with pytest.raises(RecipeError, match=r"'transfer' is 'last:1', not a table.*Set all of it"):
        overridden({"transfer": "last:1"}, ("transfer.lp_epochs=3",), RecipeError)


def test_recipes_and_configurations_take_them(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(RECIPE)
    changed = recipe.load(tmp_path / "recipe.toml", ("train.epochs=3", "transfer=features", "privacy.epsilon=8"))
    assert (changed.train.epochs, changed.transfer.mode) == (3, "features")
    assert changed.privacy is not None
    with pytest.raises(RecipeError, match=r"recipe\.toml --set train\.epocs=3: .*'epochs'"):
        recipe.load(tmp_path / "recipe.toml", ("train.epocs=3",))
    loaded = config.load(None, tmp_path, ("probes.membership.repeats=3", 'thresholds.overfitting."recipe.a".max=0.2'))
    assert loaded.parameters["membership"] == {"repeats": 3}
    assert loaded.thresholds["overfitting"]["recipe.a"].max == 0.2
    with pytest.raises(ConfigError, match=r"--set probes\.membershp.*'membership'"):
        config.load(None, tmp_path, ("probes.membershp.repeats=3",))
