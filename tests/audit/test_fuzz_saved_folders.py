"""Folders of transformers whose configuration, tokenizer or weights were changed: opened, or refused in one line."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from audit.checkpoints.causal_lm import open_causal_lm
from audit.config.recipe import SourceSection
from audit.models.families.transformers import network_of, opened, weights_of
from probes.errors import CheckpointError
from tests.audit.fuzzing import Make, alarm, broken
from tests.audit.mutation import changed, damaged

transformers = pytest.importorskip("transformers")
__all__ = ["alarm"]
SIZES = (10**9, 10**6, 10**5, 2**40, 0, -1, 7, 3)
SMALL = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}


def _tokenizer() -> object:
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = {word: number for number, word in enumerate(["<unk>", "<eos>", *"abcdefghij"])}
    found = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    found.pre_tokenizer = pre_tokenizers.Whitespace()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=found, unk_token="<unk>", eos_token="<eos>")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A text classifier, an image classifier, and a language model with its base."""
    folder = tmp_path_factory.mktemp("saved")
    torch.manual_seed(0)
    texts = transformers.BertConfig(vocab_size=12, max_position_embeddings=16, **SMALL)
    transformers.BertForSequenceClassification(texts).save_pretrained(folder / "texts")
    images = transformers.ResNetConfig(embedding_size=4, hidden_sizes=[4, 4], depths=[1, 1], layer_type="basic")
    transformers.ResNetForImageClassification(images).save_pretrained(folder / "images")
    for name in ("base", "language"):
        config = transformers.GPT2Config(
            vocab_size=12, n_positions=24, n_embd=8, n_layer=1, n_head=2, bos_token_id=1, eos_token_id=1
        )
        transformers.GPT2LMHeadModel(config).save_pretrained(folder / name)
        _tokenizer().save_pretrained(folder / name)  # type: ignore[attr-defined]
    return folder


def _changed(saved: Path, kind: str) -> Make:
    def make(folder: Path, rng: random.Random) -> Path:
        place = folder / kind
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(saved / kind, place)
        names = sorted(path.name for path in place.iterdir())
        path = place / rng.choice([name for name in names if name.endswith(".json")] * 3 + names)
        whole = path.read_bytes()
        if path.suffix == ".json" and rng.random() < 0.75:
            content = json.loads(whole)
            numbers = [key for key, value in content.items() if type(value) is int]
            if numbers and rng.random() < 0.5:
                content[rng.choice(numbers)] = rng.choice(SIZES)
            else:
                content = changed(content, rng)
            path.write_bytes(json.dumps(content).encode())
        else:
            path.write_bytes(damaged(whole, rng))
        return place

    return make


def _open_classifier(place: Path) -> None:
    config = opened(place, SourceSection(model=f"transformers:{place}"))
    network_of(config)
    weights_of(place, config, whole=True)


def _door(saved: Path, kind: str) -> Callable[[Path], object]:
    return _open_classifier if kind != "language" else lambda place: open_causal_lm(place, saved / "base")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("alarm")
@pytest.mark.parametrize("kind", ["texts", "images", "language"])
def test_no_saved_folder_breaks(tmp_path, saved, kind):
    _door(saved, kind)(saved / kind)
    assert broken(_door(saved, kind), _changed(saved, kind), tmp_path, range(6)) == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("alarm")
@pytest.mark.parametrize("kind", ["texts", "images", "language"])
def test_no_saved_folder_breaks_in_the_long_run(tmp_path, saved, kind):
    assert broken(_door(saved, kind), _changed(saved, kind), tmp_path, range(1000, 3000)) == []


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("kind", "change", "says"),
    [
        ("texts", {"vocab_size": 10**9}, "MiB, but its weights have"),
        ("texts", {"intermediate_size": 10**8}, "MiB, but its weights have"),
        ("texts", {"num_hidden_layers": 10**9}, "at most 2,000 are built"),
        ("texts", {"num_attention_heads": 3}, "describes no network: The hidden size"),
        ("texts", {"hidden_size": "8"}, "transformers cannot open it: Validation error for field 'hidden_size'"),
        ("images", {"depths": [10**9, 1]}, "at most 2,000 are built"),
        ("images", {"hidden_sizes": [10**6, 10**6]}, "describes"),
        ("language", {"n_layer": 10**9}, "at most 2,000 are built"),
        ("language", {"n_embd": 10**6}, "MiB, but its weights have"),
    ],
)
def test_a_configuration_is_tried_before_memory_is_taken(tmp_path, saved, kind, change, says):
    shutil.copytree(saved / kind, tmp_path / kind)
    path = tmp_path / kind / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(CheckpointError, match=says):
        _door(saved, kind)(tmp_path / kind)


def test_what_is_tried_draws_no_random_number(saved):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    opened(saved / "texts", SourceSection(model=f"transformers:{saved / 'texts'}"))
    assert torch.equal(torch.get_rng_state(), before)
