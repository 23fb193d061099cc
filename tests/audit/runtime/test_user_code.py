from pathlib import Path

import pytest

from audit.runtime.user_code import load_factory
from probes.errors import CheckpointError, RecipeError


def test_a_file_beside_the_recipe(tmp_path: Path):
    (tmp_path / "neighbour.py").write_text("VALUE = 7\n")
    (tmp_path / "mine.py").write_text("import neighbour\ndef make(): return neighbour.VALUE\n")
    assert load_factory("mine:make", tmp_path, trust_code=True, where="x")() == 7


def test_files_of_one_name_in_two_folders(tmp_path: Path):
    for number in (1, 2):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "model.py").write_text(f"def make(): return {number}\n")
    values = [load_factory("model:make", tmp_path / str(n), trust_code=True, where="x")() for n in (1, 2)]
    assert values == [1, 2]


def test_an_installed_module(tmp_path: Path):
    assert load_factory("collections:Counter", tmp_path, trust_code=True, where="x")("aa") == {"a": 2}


def test_nothing_is_imported_without_trust(tmp_path: Path):
    trap = tmp_path / "ran"
    (tmp_path / "evil.py").write_text(f"open({str(trap)!r}, 'w')\ndef make(): pass\n")
    with pytest.raises(CheckpointError, match="--trust-code"):
        load_factory("evil:make", tmp_path, trust_code=False, where="source.model")
    assert not trap.exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", "does not name a function"),
        ("../up:make", "does not name a function"),
        ("no_such_module:make", "cannot import 'no_such_module'"),
        ("collections:Conter", r"Did you mean 'Counter'\?"),
    ],
)
def test_mistakes(tmp_path: Path, name: str, message: str):
    with pytest.raises(RecipeError, match=message):
        load_factory(name, tmp_path, trust_code=True, where="source.model")
