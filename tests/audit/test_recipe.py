from pathlib import Path

import pytest

from audit import recipe
from probes.errors import RecipeError
from tests.audit.conftest import EXAMPLES, small_recipe


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trian": {}}, r"unknown key 'trian'.*Did you mean 'train'\?"),
        ({"train": {"learning_rate": 1}}, r"unknown key 'train.learning_rate'"),
        ({"train": {"epoch": 1}}, r"unknown key 'train.epoch'.*Did you mean 'epochs'\?"),
        ({"train": {"lr": -1}}, r"train.lr: .*greater than 0"),
        ({"train": {"optimizer": "sdg"}}, r"train.optimizer: .*'sgd'"),
        ({"transfer": "lats:2"}, r"unknown transfer mode 'lats:2'"),
        ({"data": {"kind": "digts"}}, r"data: .*'digits'"),
        ({"data": {"kind": "digits", "clases": ["1"]}}, r"unknown key 'data.digits.clases'.*'classes'"),
        ({"split": {"members": 1}}, r"split: give `held_out`, or `file`"),
    ],
)
def test_mistakes_are_one_line_with_the_key_and_the_nearest_name(change, message):
    with pytest.raises(RecipeError, match=message) as caught:
        recipe.parse(small_recipe(**change), "recipe.toml")
    assert str(caught.value).startswith("recipe.toml: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"[train\n", b"\xff\xfe"])
def test_a_file_that_is_no_toml(tmp_path: Path, content: bytes):
    path = tmp_path / "recipe.toml"
    path.write_bytes(content)
    with pytest.raises(RecipeError, match=r"recipe\.toml: "):
        recipe.load(path)


def test_no_such_recipe(tmp_path: Path):
    with pytest.raises(RecipeError, match="no such recipe"):
        recipe.load(tmp_path / "none.toml")


def test_a_recipe_survives_json():
    one = recipe.parse(small_recipe(transfer="last:1"), "test")
    assert recipe.parse(one.model_dump(mode="json"), "test") == one


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_example_is_a_recipe(path: Path):
    assert recipe.load(path).name
