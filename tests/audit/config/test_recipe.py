import json
import tomllib
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
from typer.testing import CliRunner

from audit.cli.app import app
from audit.config import recipe
from probes.errors import RecipeError
from tests.audit.conftest import EXAMPLES, small_recipe

SPLIT_ONLY = {"data": {"kind": "digits"}, "split": {"members": 10, "held_out": 10}}


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
        ({"data": {"kind": "digits", "clases": ["1"]}}, r"unknown key 'data.clases'.*'classes'"),
        ({"split": {"members": 1}}, r"split: give `held_out`, `file` or `parts`"),
        ({"split": {"members": 1, "held_out": 1, "validation": -5}}, r"split.validation: .*greater than or equal to 0"),
        ({"input": {"std": [0.0]}}, r"input.std.0: .*greater than 0"),
        ({"transfer": "lp-ft"}, r"lp_epochs = 5 of train.epochs = 2, which leaves none to train everything"),
        (
            {"source": {"model": "a:b", "training": {**SPLIT_ONLY, "train": {"patience": 1}}}},
            r"source.training: .*set split.validation",
        ),
    ],
)
def test_mistakes_are_one_line_with_the_key_and_the_nearest_name(change, message):
    with pytest.raises(RecipeError, match=message) as caught:
        recipe.parse(small_recipe(**change), "recipe.toml")
    assert str(caught.value).startswith("recipe.toml: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"[train\n", b"\xff\xfe"])
def test_an_invalid_toml_file_is_refused(tmp_path: Path, content: bytes):
    path = tmp_path / "recipe.toml"
    path.write_bytes(content)
    with pytest.raises(RecipeError, match=r"recipe\.toml: "):
        recipe.load(path)


def test_no_such_recipe(tmp_path: Path):
    with pytest.raises(RecipeError, match="no such file"):
        recipe.load(tmp_path / "none.toml")


def test_a_recipe_survives_json():
    one = recipe.parse(small_recipe(transfer="last:1"), "test")
    assert recipe.parse(one.model_dump(mode="json"), "test") == one


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_example_is_a_recipe(path: Path):
    assert recipe.load(path).name


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_the_published_schema_takes_every_example_and_no_typing_error(path: Path):
    validator = jsonschema.Draft202012Validator(recipe.json_schema())
    content = tomllib.loads(path.read_text())
    validator.validate(content)
    content["trian"] = {}
    assert [error.message for error in validator.iter_errors(content)]


def test_the_published_file_is_the_schema():
    """Where this fails: write `audit.config.recipe.json_schema()` into the file."""
    published = json.loads((files("audit.config") / "schema" / "recipe.schema.json").read_text(encoding="utf-8"))
    assert published == json.loads(json.dumps(recipe.json_schema()))


@pytest.mark.parametrize("of", ["recipe", "results"])
def test_schemas_are_at_hand(of):
    shown = CliRunner().invoke(app, ["schema", of])
    assert shown.exit_code == 0
    jsonschema.Draft202012Validator.check_schema(json.loads(shown.stdout))


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_example_names_the_schema_to_editors(path: Path):
    line = path.read_text().splitlines()[0]
    assert line.startswith("#:schema ")
    assert (path.parent / line.removeprefix("#:schema ")).resolve().name == "recipe.schema.json"
    assert (path.parent / line.removeprefix("#:schema ")).is_file()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, set()),
        ({"transfer": "features"}, set()),
        ({"transfer": {"mode": "lp-ft", "lp_epochs": 1}, "head": {"dropout": 0.1}}, {"phases", "dropout"}),
        ({"train": {"schedule": "cosine", "clip_norm": 1}}, {"schedule", "gradient clipping"}),
        ({"regularise": {"l2_sp": 0.1, "attention": 1}}, {"L2-SP", "attention transfer"}),
        ({"regularise": {"source_share": 0.3}}, {"interpolation"}),
        ({"privacy": {"epsilon": 1}, "canaries": 5}, {"privacy", "canaries"}),
    ],
)
def test_what_a_recipe_demands_of_an_engine(change, expected):
    assert recipe.demands(recipe.parse(small_recipe(**change), "t")) == expected


def test_no_section_goes_unseen_by_engines():
    """A new key of training must be named in `demands`, or be listed here as one that every engine reads."""
    seen_by_all = {"optimizer", "lr", "momentum", "epochs", "batch_size", "milestones", "gamma", "warmup_epochs"}
    demanded = {
        "weight_decay",
        "decays",
        "schedule",
        "label_smoothing",
        "clip_norm",
        "precision",
        "compile",
        "patience",
        "select",
    }
    assert set(recipe.TrainSection.model_fields) == seen_by_all | demanded


def test_a_misspelt_transform_is_refused_when_the_recipe_is_read() -> None:
    content = small_recipe() | {"augment": [{"name": "RandomHorizontalFlp"}]}
    with pytest.raises(RecipeError, match="RandomHorizontalFlip"):
        recipe.parse(content, "t")
