"""Models in the folders that libraries save them as."""

from __future__ import annotations

import argparse
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import audit
from audit.checkpoints.audited_model import Audited
from audit.checkpoints.folders.base import reader_of
from audit.checkpoints.folders.completed import completed, completing
from audit.checkpoints.folders.peft_adapter import PeftAdapter
from audit.checkpoints.folders.save_pretrained import SavePretrained
from audit.checkpoints.folders.training_arguments import of_mapping, of_state
from audit.checkpoints.inspect import inspect
from audit.checkpoints.open_model import _under, open_checkpoint
from audit.config.recipe import InputSection, RecipeFile, SourceSection, parse
from audit.config.run_settings import Settings
from audit.models.answers import gives_logits, masks_padding
from audit.models.families.transformers import opened as opened_config
from audit.models.families.transformers import weights_of
from audit.models.saved_config import input_in
from audit.storage.hub_cache import base_in
from audit.training.preprocessing import preprocess
from probes.errors import CheckpointError
from probes.message import Message
from probes.result import Result, Sentences
from probes.texts import said as worded
from tests.audit.saved_models import WORDS, image_classifier, messages, text_classifier
from tests.audit.trainers.few import CHEAP

TEXTS = {"data": {"kind": "text", "path": "messages.csv"}, "split": {"members": 30, "held_out": 30}}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    messages(folder)
    text_classifier(folder)
    image_classifier(folder)
    return folder


def opened(model: Path, content: dict, base: Path | None = None) -> Audited:
    folder = model.parent
    complete = completing(model, folder, base, trust_code=False)
    assert complete is not None
    recipe = RecipeFile(recipe=parse(complete(content), "recipe"), path=folder / "recipe.toml")
    return open_checkpoint(model, Settings(store=folder / "store", recipe=recipe, base=base))


def test_a_text_classifier_answers_as_its_library_does(saved: Path) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    found = opened(saved / "model", TEXTS, saved / "base")
    theirs = AutoModelForSequenceClassification.from_pretrained(saved / "model").eval()
    read = AutoTokenizer.from_pretrained(saved / "model")
    texts = list(found.experiment.dataset.texts)
    with torch.no_grad():
        expected = theirs(**read(texts, truncation=True, padding=True, return_tensors="pt")).logits.numpy()
    np.testing.assert_allclose(found.logits(), expected, atol=1e-5)
    assert found.experiment.dataset.classes == ("spam", "ham")


def test_settings_of_a_folder_are_reported_and_missing_weights_are_drawn_by_each_replica(saved: Path) -> None:
    found = opened(saved / "model", TEXTS, saved / "base")
    train = found.experiment.recipe.train
    assert (train.epochs, train.batch_size, train.lr) == (2, 8, pytest.approx(3e-3 * 20 / 11, rel=0.01))
    said = {message.code: message.values for message in found.told}
    assert any("train.epochs = 2 (trainer_state.json)" in one for one in said["audit.folder-read"]["what"])
    assert any("adamw" in one for one in said["audit.folder-assumed"]["what"])
    lacks = next(one for one in found.checkpoint.limits if getattr(one, "code", "") == "audit.source-lacks")
    assert lacks.values["parts"] == ("bert.pooler.dense",)
    networks = [found.experiment.source.network(seed).state_dict() for seed in (1, 2)]
    pooler, body = "bert.pooler.dense.weight", "bert.encoder.layer.0.attention.self.query.weight"
    assert not torch.equal(networks[0][pooler], networks[1][pooler])
    assert torch.equal(networks[0][body], networks[1][body])
    assert networks[0]["bert.pooler.dense.bias"].abs().max() == 0  # as the library draws it


def test_the_new_head_is_drawn_as_the_library_draws_it(saved: Path) -> None:
    experiment = opened(saved / "model", TEXTS, saved / "base").experiment
    head = experiment.begin(experiment.audited_row()).network.get_submodule("classifier")
    assert head.bias.abs().max() == 0
    assert head.weight.std() < 0.05  # nn.Linear's own would be 0.2


def test_weights_in_several_files_are_read(tmp_path: Path) -> None:
    messages(tmp_path)
    model, base = text_classifier(tmp_path, shards=True)
    assert len(list(model.glob("*.safetensors"))) > 1
    assert opened(model, TEXTS, base).logits().shape == (60, 2)


def test_an_image_classifier_reads_images_as_its_processor_does(saved: Path) -> None:
    content = {
        "data": {"kind": "digits", "classes": ["0", "1"], "take": 60}, "split": {"members": 30, "held_out": 30}
    }  # fmt: skip
    found = opened(saved / "vit", content)
    assert found.experiment.recipe.input.size == 8
    assert found.experiment.recipe.input.mean == (0.5, 0.5, 0.5)
    assert found.logits().shape[1] == 2


@pytest.mark.slow
def test_a_folder_is_audited_from_end_to_end(saved: Path, tmp_path: Path) -> None:
    report = audit.run(
        saved / "model",
        recipe={**TEXTS, "data": {"kind": "text", "path": str(saved / "messages.csv")}},
        base=saved / "base",
        config=CHEAP,
        store=tmp_path,
        workers=1,
    )
    assert report.data["modality"] == "text"
    assert any("bert.pooler.dense" in one for one in report.audit["limits"])


def given(saved: Path) -> dict[str, Any]:
    """What `audit run` is given with the folder, and so is every other command."""
    content = {**TEXTS, "data": {"kind": "text", "path": str(saved / "messages.csv")}}
    return {"recipe": content, "base": saved / "base", "config": CHEAP}


@pytest.mark.slow
def test_the_plan_of_a_folder_is_that_of_its_completed_recipe(saved: Path) -> None:
    found = audit.plan(saved / "model", workers=1, **given(saved))
    assert found.price.rows == sum(sum(line.designs.values()) for line in found.price.lines) > 0


@pytest.mark.slow
def test_the_reasons_of_a_text_classifier_are_words_in_the_report(saved: Path, tmp_path: Path) -> None:
    off = {"enabled": False}
    probes = dict.fromkeys(("membership", "contamination", "overfitting", "forgetting", "inheritance"), off)
    config = {"probes": {**probes, "drift": {"samples": 4, "deleted": 4, "seeds": 2}}}
    report = audit.run(
        saved / "model", store=tmp_path / "s", out=tmp_path / "r", workers=1, **{**given(saved), "config": config}
    )
    (figure,) = [
        figure
        for result in report.results
        if isinstance(result, Result)
        for figure in result.figures
        if isinstance(figure, Sentences)
    ]
    shown = {word for row in figure.rows for word in row.words}
    assert shown <= set(WORDS)
    assert shown & {"prize", "call", "home", "tea"}
    assert "<mark class=" in (tmp_path / "r/report.html").read_text(encoding="utf-8")
    assert "**" in (tmp_path / "r/report.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_countermeasures_are_tried_on_a_folder(saved: Path, tmp_path: Path) -> None:
    frontier = audit.mitigate(
        saved / "model", ["l2=0.1"], out=tmp_path / "out", store=tmp_path / "store", workers=1, **given(saved)
    )
    assert [one.name for one in frontier.tried[1:]] == ["l2=0.1"]


@pytest.fixture(scope="module")
def adapter(saved: Path) -> Path:
    """A LoRA adapter beside a base that has all of the classifier but its head."""
    import peft
    from transformers import BertForSequenceClassification, BertModel

    whole = BertForSequenceClassification.from_pretrained(saved / "model")
    base = saved / "whole"
    bert: BertModel = whole.bert
    bert.save_pretrained(base)
    (base / "tokenizer.json").write_bytes((saved / "base" / "tokenizer.json").read_bytes())
    (base / "tokenizer_config.json").write_bytes((saved / "base" / "tokenizer_config.json").read_bytes())
    lora = peft.LoraConfig(task_type="SEQ_CLS", r=2, lora_dropout=0.1, target_modules=["query"])
    made = peft.get_peft_model(BertForSequenceClassification.from_pretrained(base), lora)
    for name, parameter in made.named_parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.5, generator=torch.Generator().manual_seed(len(name)))
    made.save_pretrained(saved / "adapter")
    return saved / "adapter"


@pytest.mark.filterwarnings("ignore")
def test_an_adapter_answers_as_its_library_does_and_replicas_train_what_it_trains(saved: Path, adapter: Path) -> None:
    import peft
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    found = opened(adapter, TEXTS, saved / "whole")
    theirs = peft.PeftModel.from_pretrained(
        AutoModelForSequenceClassification.from_pretrained(saved / "whole"), adapter
    ).eval()
    read = AutoTokenizer.from_pretrained(saved / "whole")
    texts = list(found.experiment.dataset.texts)
    with torch.no_grad():
        expected = theirs(**read(texts, truncation=True, padding=True, return_tensors="pt")).logits.numpy()
    np.testing.assert_allclose(found.logits(), expected, atol=1e-5)
    trainee = found.experiment.begin(found.experiment.audited_row())
    assert {name.split(".")[-3] for name in trainee.trained if "lora" in name} == {"lora_A", "lora_B"}
    assert all("lora" in name or "classifier" in name for name in trainee.trained)
    trainee.train_mode()
    dropouts = [module for module in trainee.network.modules() if isinstance(module, torch.nn.Dropout)]
    assert all(module.training for module in dropouts)


@pytest.mark.filterwarnings("ignore")
def test_an_adapter_whose_files_were_changed_is_refused_for_what_is_wrong(saved: Path, adapter: Path) -> None:
    from safetensors.torch import load_file, save_file

    copy = Path(shutil.copytree(adapter, saved / "changed-adapter"))
    weights, config = copy / "adapter_model.safetensors", copy / "adapter_config.json"
    whole = load_file(weights)
    for change, says in (
        (lambda value: value.to(torch.int32), "is int32: quantised weights"),
        (lambda value: value * torch.nan, "contains NaN"),
    ):
        save_file({name: change(value) for name, value in whole.items()}, weights)
        with pytest.raises(CheckpointError, match=says):
            opened(copy, TEXTS, saved / "whole")
    content = json.loads(config.read_text(encoding="utf-8"))
    config.write_text(json.dumps({**content, "target_modules": "((("}), encoding="utf-8")
    with pytest.raises(CheckpointError, match="peft cannot open it: missing"):
        opened(copy, TEXTS, saved / "whole")


@pytest.mark.filterwarnings("ignore")
def test_what_replicas_of_an_adapter_cannot_do_is_said_before_training(tmp_path: Path) -> None:
    config = {"peft_type": "ADALORA", "task_type": "SEQ_CLS", "base_model_name_or_path": "someone/base"}
    (tmp_path / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    (note,) = [one for one in PeftAdapter().describe(tmp_path, None, trust_code=False).said() if "unknown" in one.code]
    assert "reallocation of ranks, orthogonality penalty (ADALORA)" in worded(note)
    assert "--base FOLDER; it was someone/base" in worded(note)


def test_an_adapter_without_a_part_that_was_drawn_at_random_is_refused(saved: Path, adapter: Path) -> None:
    with pytest.raises(CheckpointError, match=r"lacks bert\.pooler\.dense, and so does the base"):
        opened(adapter, TEXTS, saved / "base")


LIGHTNING = """
import torch
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(64, 10)
    def forward(self, x):
        return {"logits": self.fc(x.flatten(1)), "loss": None}
"""


def test_a_folder_of_lightning_brings_weights_and_hyperparameters(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(LIGHTNING, encoding="utf-8")
    model = tmp_path / "version_0"
    (model / "checkpoints").mkdir(parents=True)
    (model / "hparams.yaml").write_text("learning_rate: 0.05\nbatch_size: 16\nmax_epochs: 2\n", encoding="utf-8")
    state = {
        "model.fc.weight": torch.ones(10, 64),
        "model.fc.bias": torch.zeros(10),
        "criterion.weight": torch.ones(10),
    }
    torch.save({"state_dict": state, "pytorch-lightning_version": "2.5"}, model / "checkpoints" / "last.ckpt")
    content = {
        "data": {"kind": "digits", "take": 60}, "split": {"members": 30, "held_out": 30},
        "source": {"model": "net:Net"},
    }  # fmt: skip
    complete = completing(model, tmp_path, None, trust_code=True)
    assert complete is not None
    recipe = RecipeFile(recipe=parse(complete(content), "recipe"), path=tmp_path / "recipe.toml")
    found = open_checkpoint(model, Settings(store=tmp_path, recipe=recipe, trust_code=True))
    train = found.experiment.recipe.train
    assert (train.lr, train.batch_size, train.epochs) == (0.05, 16, 2)
    assert found.logits().shape[1] == 10
    assert any(getattr(one, "code", "") == "audit.holds-loss" for one in found.checkpoint.limits)


def test_a_timm_output_folder_with_a_namespace_in_its_checkpoint_is_opened(tmp_path: Path) -> None:
    timm = pytest.importorskip("timm")
    model = tmp_path / "out"
    model.mkdir()
    network = timm.create_model("test_resnet", num_classes=10)
    arguments = {
        "model": "test_resnet", "num_classes": 10, "opt": "sgd", "lr": 0.1, "epochs": 3, "batch_size": 8,
        "sched": "cosine", "smoothing": 0.1, "mixup": 0.2, "img_size": 32, "seed": 4, "pretrained": False,
    }  # fmt: skip
    (model / "args.yaml").write_text("\n".join(f"{key}: {value}" for key, value in arguments.items()), encoding="utf-8")
    state = network.state_dict()
    saved = {"state_dict": state, "state_dict_ema": state, "args": argparse.Namespace(**arguments), "epoch": 2}
    torch.save(saved, model / "model_best.pth.tar")
    found = opened(model, {"data": {"kind": "digits", "take": 60}, "split": {"members": 30, "held_out": 30}})
    train = found.experiment.recipe.train
    assert (train.optimizer, train.schedule, train.label_smoothing, found.checkpoint.seed) == ("sgd", "cosine", 0.1, 4)
    said = {message.code: message.values for message in found.told}
    assert any("mixup" in one for one in said["audit.folder-unknown"]["what"])
    assert all(torch.equal(value, state[name]) for name, value in found.checkpoint.state.items())


DIGITS = {"data": {"kind": "digits", "take": 60}, "split": {"members": 30, "held_out": 30}}


def test_the_set_of_weights_that_is_named_is_audited_in_a_folder_too(tmp_path: Path) -> None:
    timm = pytest.importorskip("timm")
    model = tmp_path / "out"
    model.mkdir()
    (model / "args.yaml").write_text("model: test_resnet\nnum_classes: 10\nimg_size: 32\n", encoding="utf-8")
    raw = timm.create_model("test_resnet", num_classes=10).state_dict()
    average = {name: value + 1 if value.is_floating_point() else value for name, value in raw.items()}
    for number in (9, 10):
        saved = {"state_dict": raw, "state_dict_ema": average, "args": argparse.Namespace(lr=0.1)}
        torch.save(saved, model / f"checkpoint-{number}.pth.tar")
    complete = completing(model, tmp_path, None, trust_code=False)
    assert complete is not None
    recipe = RecipeFile(recipe=parse(complete(DIGITS), "recipe"), path=tmp_path / "recipe.toml")
    plain, named, file = (
        open_checkpoint(path, Settings(store=tmp_path, recipe=recipe, weights=key))
        for path, key in ((model, None), (model, "state_dict_ema"), (model / "checkpoint-9.pth.tar", None))
    )
    first = next(name for name, value in raw.items() if value.is_floating_point())
    assert torch.equal(plain.checkpoint.state[first], raw[first])
    assert torch.equal(named.checkpoint.state[first], average[first])
    assert torch.equal(file.checkpoint.state[first], raw[first])
    assert "audit.holds-averages" in [getattr(one, "code", "") for one in plain.checkpoint.limits]
    assert "audit.weights-chosen" in [getattr(one, "code", "") for one in named.checkpoint.limits]
    (assumed,) = [one.values["what"] for one in plain.told if one.code == "audit.folder-assumed"]
    assert assumed == ("weights = checkpoint-10.pth.tar, the last",)
    (saved_in_several := tmp_path / "hf").mkdir()
    with pytest.raises(CheckpointError, match="--weights ema names a set of weights within one file"):
        _under("ema", None, saved_in_several)


def test_a_checkpoint_of_lightning_alone_states_its_hyperparameters(tmp_path: Path) -> None:
    file = tmp_path / "epoch=3.ckpt"
    content = {"state_dict": {"model.fc.weight": torch.ones(2, 2)}, "pytorch-lightning_version": "2.5"}
    torch.save({**content, "hyper_parameters": {"lr": 0.5, "batch_size": 7}}, file)
    found = inspect(file).facts
    assert found["read"] == "train.lr = 0.5 (epoch=3.ckpt); train.batch_size = 7 (epoch=3.ckpt); weights (epoch=3.ckpt)"
    complete = completing(file, tmp_path, None, trust_code=False)
    assert complete is not None
    assert complete({**DIGITS, "source": {"model": "nets:net"}, "train": {"lr": 0.1}})["train"] == {
        "lr": 0.1,
        "batch_size": 7,
    }
    torch.save(content, file)
    assert reader_of(file) is None


def test_tuples_in_hparams_are_read_and_objects_are_named_but_not_constructed(tmp_path: Path) -> None:
    torch.save({"state_dict": {"fc.weight": torch.ones(2, 2)}}, tmp_path / "last.ckpt")
    lines = "lr: 0.1\nbetas: !!python/tuple [0.9, 0.99]\nnet: !!python/object/apply:os.system ['true']\n"
    (tmp_path / "hparams.yaml").write_text(lines, encoding="utf-8")
    found = inspect(tmp_path).facts
    assert "train.lr = 0.1 (hparams.yaml)" in found["read"]
    assert "net (hparams.yaml: a Python object)" in found["unknown"]


def test_a_model_that_timm_saved_for_sharing_is_opened(tmp_path: Path) -> None:
    timm = pytest.importorskip("timm")
    smaller = {"input_size": (3, 32, 32), "crop_pct": 0.8}
    network = timm.create_model("test_resnet", num_classes=10, pretrained_cfg_overlay=smaller)
    timm.models.save_for_hf(network, str(tmp_path / "shared"), safe_serialization=True)
    found = opened(tmp_path / "shared", DIGITS)
    assert found.experiment.recipe.source.model == "timm:test_resnet"
    assert (found.experiment.recipe.input.crop, found.experiment.recipe.input.size) == (32, 40)
    state = network.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in found.checkpoint.state.items())


def test_yaml_that_would_make_objects_is_refused(tmp_path: Path) -> None:
    (tmp_path / "args.yaml").write_text("model: !!python/object/apply:os.system ['true']", encoding="utf-8")
    with pytest.raises(CheckpointError, match="is not plain YAML"):
        reader_of(tmp_path)


def test_a_model_of_transformers_in_memory_gets_its_attention_mask() -> None:
    from transformers import BertConfig, BertForSequenceClassification

    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    network = BertForSequenceClassification(BertConfig(vocab_size=12, pad_token_id=0, **sizes)).eval()
    ids = torch.tensor([[3, 4, 0, 0], [5, 0, 0, 0]])
    with torch.no_grad():
        expected = network(input_ids=ids, attention_mask=(ids != 0).long()).logits
        assert not torch.allclose(network(ids).logits, expected, atol=1e-6)
        torch.testing.assert_close(masks_padding(masks_padding(gives_logits(network)))(ids), expected)


def test_a_folder_alone_says_what_is_missing(saved: Path) -> None:
    with pytest.raises(CheckpointError, match="does not say what it was trained on"):
        open_checkpoint(saved / "model", Settings(store=saved / "store"))
    assert reader_of(saved) is None
    with pytest.raises(CheckpointError, match="holds a BertForMaskedLM, which is not a classifier"):
        open_checkpoint(saved / "base", Settings(store=saved / "store"))
    with pytest.raises(
        CheckpointError, match=r"no model of a known kind itself, but .*model, vit\. Give the audited one"
    ):
        completing(saved, saved, None, trust_code=False)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"problem_type": "multi_label_classification"}, "is a model for multi label classification"),
        ({"problem_type": "regression"}, "is a model for regression"),
        ({"quantization_config": {"quant_method": "bitsandbytes"}}, r"is quantised \(bitsandbytes\)"),
    ],
)
def test_a_model_that_cannot_be_audited_as_a_classifier_is_refused(
    saved: Path, tmp_path: Path, change: dict, says: str
) -> None:
    content = json.loads((saved / "model" / "config.json").read_text(encoding="utf-8"))
    (tmp_path / "config.json").write_text(json.dumps({**content, **change}), encoding="utf-8")
    with pytest.raises(CheckpointError, match=says):
        completing(tmp_path, tmp_path, None, trust_code=False)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod."])
def test_weights_of_a_wrapped_model_are_read_under_its_own_names(saved: Path, tmp_path: Path, prefix: str) -> None:
    from safetensors.torch import load_file, save_file

    model = tmp_path / "model"
    shutil.copytree(saved / "model", model)
    state = load_file(model / "model.safetensors")
    config = opened_config(model, SourceSection(model="transformers:x"))
    expected = weights_of(model, config, whole=True)
    save_file({f"{prefix}{name}": value for name, value in state.items()}, model / "model.safetensors")
    found = weights_of(model, config, whole=True)
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_weights_that_do_not_belong_to_their_configuration_are_one_line(saved: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    model = tmp_path / "model"
    shutil.copytree(saved / "model", model)
    file = model / "model.safetensors"
    state, config = load_file(file), opened_config(model, SourceSection(model="transformers:x"))
    lfs = "version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 3\n"
    for change, said in (
        (
            {"classifier.weight": torch.zeros(5, 8)},
            r"weight has shape \(5, 8\), by its configuration \(2, 8\)",
        ),
        ({"classifier.weight": None, "classifier.bias": None}, r"holds no classifier\.bias, so it is not the whole"),
        (lfs, "is a Git LFS pointer"),
        (None, r"has no weights to read.*Copy the whole folder"),
    ):
        if isinstance(change, dict):
            save_file({name: value for name, value in {**state, **change}.items() if value is not None}, file)
        elif isinstance(change, str):
            file.write_text(change, encoding="utf-8")
        else:
            file.unlink()
        with pytest.raises(CheckpointError, match=said):
            weights_of(model, config, whole=True)


@pytest.mark.parametrize(("dtype", "told"), [(torch.int32, None), (torch.float16, "audit.stored-as")])
def test_the_types_in_which_weights_are_stored_are_told_and_integers_refused(
    saved: Path, tmp_path: Path, dtype: torch.dtype, told: str | None
) -> None:
    """The library reads all of them as float32."""
    from safetensors.torch import load_file, save_file

    shutil.copy(saved / "messages.csv", tmp_path)
    model = Path(shutil.copytree(saved / "model", tmp_path / "model"))
    file = model / "model.safetensors"
    save_file({name: value.to(dtype) for name, value in load_file(file).items()}, file, metadata={"format": "pt"})
    if told is None:
        with pytest.raises(CheckpointError, match="is int32: quantised weights mean nothing without their scales"):
            opened(model, TEXTS, saved / "base")
    else:
        limits = opened(model, TEXTS, saved / "base").checkpoint.limits
        assert told in [one.code for one in limits if isinstance(one, Message)]


def test_a_part_of_the_weights_that_is_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    model, _ = text_classifier(tmp_path, shards=True)
    part = sorted(model.glob("model-*.safetensors"))[0]
    part.unlink()
    os.mkfifo(part)
    with pytest.raises(CheckpointError, match="is a device or a pipe, not a file"):
        weights_of(model, opened_config(model, SourceSection(model="transformers:x")), whole=True)


def test_a_folder_without_the_file_that_describes_it_says_what_it_lacks(saved: Path, tmp_path: Path) -> None:
    model = Path(shutil.copytree(saved / "model", tmp_path / "model"))
    (model / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"holds weights, but nothing that says of which network.*Copy the whole"):
        opened(model, TEXTS, saved / "base")
    (model / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(CheckpointError, match="without `architectures`"):
        opened(model, TEXTS, saved / "base")
    (model / "config.json").write_text("", encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"config\.json: is empty\. Copy it again"):
        opened(model, TEXTS, saved / "base")


def test_texts_need_the_tokenizer_of_the_model_or_of_its_base(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((saved / "model" / "config.json").read_bytes())
    complete = completing(tmp_path, tmp_path, saved / "base", trust_code=False)
    assert complete is not None
    assert Path(complete(TEXTS)["data"]["tokenizer"]).name == "base"
    complete = completing(tmp_path, tmp_path, saved / "vit", trust_code=False)
    assert complete is not None
    with pytest.raises(CheckpointError, match="holds no tokenizer, and neither does its base"):
        complete(TEXTS)


def test_a_base_that_is_a_name_of_the_hub_is_found_in_the_cache(saved: Path, tmp_path: Path, monkeypatch) -> None:
    hub = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path))
    cached = tmp_path / "models--someone--base"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text("abc", encoding="utf-8")
    shutil.copytree(saved / "base", cached / "snapshots" / "abc")
    found = base_in(Path("someone/base"))
    assert found == cached / "snapshots" / "abc"
    assert base_in(Path("someone/other")) == Path("someone/other")
    assert base_in(saved / "base") == saved / "base"


IMAGES = np.random.default_rng(0).integers(60, 190, (2, 40, 52, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("ViTImageProcessor", {"size": {"height": 24, "width": 24}}),
        ("ConvNextImageProcessor", {"size": {"shortest_edge": 24}, "crop_pct": 0.875}),
        ("ConvNextImageProcessor", {"size": {"shortest_edge": 384}}),
        ("CLIPImageProcessor", {"size": {"shortest_edge": 28}, "crop_size": {"height": 24, "width": 24}}),
        ("EfficientNetImageProcessor", {"size": {"height": 24, "width": 24}, "rescale_offset": True}),
        ("ViTImageProcessor", {"do_resize": False, "do_rescale": False, "do_normalize": False}),
        ("MobileViTImageProcessor", {"size": {"shortest_edge": 28}, "crop_size": {"height": 24, "width": 24}}),
    ],
)
def test_images_are_prepared_as_the_librarys_processor_prepares_them(tmp_path: Path, kind: str, options: dict) -> None:
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("torchvision")
    processor = getattr(transformers, kind)(**options)
    processor.save_pretrained(tmp_path)
    expected = processor(list(IMAGES), return_tensors="np")["pixel_values"]
    section = InputSection(**input_in(tmp_path))
    found = preprocess(IMAGES, section, "image").numpy()
    assert found.shape == expected.shape
    # The libraries round to 8 bits after each direction of resizing.
    np.testing.assert_allclose(found, expected, atol=2 / 255 / min(section.std))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"do_pad": True}, "do_pad = true"),
        ({"size": {"height": 8, "width": 16}}, "size = height 8, width 16"),
        ({"size": {"longest_edge": 8}}, "size = longest_edge 8"),
        ({"do_center_crop": True, "crop_size": {"height": 8, "width": 4}}, "crop_size = height 8, width 4"),
        ({"do_color_quantize": True}, "do_color_quantize = true"),
    ],
)
def test_images_that_are_prepared_in_another_way_need_an_input_of_the_users_own(
    tmp_path: Path, change: dict, said: str
) -> None:
    config = {"model_type": "vit", "architectures": ["ViTForImageClassification"], "num_channels": 3}
    processor = {"size": {"height": 8, "width": 8}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(processor | change), encoding="utf-8")
    described = SavePretrained().describe(tmp_path, None, trust_code=False)
    given = {"data": {"kind": "digits"}, "split": {"members": 10, "held_out": 10}}
    with pytest.raises(CheckpointError, match=f"prepares images in a way that a recipe cannot say: {said}"):
        completed(described, given, tmp_path)
    assert completed(described, {**given, "input": {"mean": [0.0]}}, tmp_path)["input"]["mean"] == [0.0]


def test_a_folder_is_inspected(saved: Path) -> None:
    found = inspect(saved / "model")
    assert found.facts["format"] == "save_pretrained"
    assert "train.epochs = 2" in found.facts["read"]


def test_arguments_of_the_trainer_become_a_recipe_and_what_it_cannot_do_is_named() -> None:
    given = {"learning_rate": 5e-5, "num_train_epochs": 3, "optim": "adafactor", "warmup_steps": 10, "seed": 42}
    found = of_mapping(given, "training_args.bin", samples=80)
    assert (found.seed, found.train["lr"], found.train["warmup_epochs"]) == (42, 5e-5, 1.0)
    assert any("adafactor" in one for one in found.unknown)
    assert found.assumed == ("train.optimizer = adamw",)
    assert not any("adamw" in one for one in found.read), "the file does not say so"
    assert of_state({"log_history": []}, pickled=True).unknown == ("train.lr (no rate was logged)",)


def test_a_damaged_configuration_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"config\.json: is not JSON"):
        reader_of(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(["nothing"]), encoding="utf-8")
    assert reader_of(tmp_path) is None


@pytest.mark.parametrize(
    ("train", "assumed"),
    [
        ("", ("train.epochs", "train.lr", "train.batch_size")),
        ("lr = 5e-5\nepochs = 3", ("train.batch_size",)),
        ("lr = 1e-3\nepochs = 3\nbatch_size = 8", ()),
    ],
)
def test_what_only_a_pickle_says_of_the_training_is_told_before_any_training(
    saved: Path, tmp_path: Path, train: str, assumed: tuple[str, ...]
) -> None:
    model = tmp_path / "model"
    shutil.copytree(saved / "model", model)
    (model / "trainer_state.json").unlink()
    (model / "training_args.bin").write_bytes(b"a pickle that nothing may open")
    given = f'[data]\nkind = "text"\npath = "{saved / "messages.csv"}"\n[split]\nmembers = 30\nheld_out = 30\n'
    (tmp_path / "recipe.toml").write_text(f"{given}[train]\n{train}\n" if train else given, encoding="utf-8")
    complete = completing(model, tmp_path, saved / "base", trust_code=False)
    recipe = RecipeFile.read(tmp_path / "recipe.toml", complete=complete)
    found = open_checkpoint(model, Settings(store=tmp_path / "store", recipe=recipe, base=saved / "base"))
    notes = [one for one in found.told if one.code == "audit.training-unread"]
    assert [one.values["keys"] for one in notes] == ([assumed] if assumed else [])
    for one in notes:
        assert one in found.checkpoint.limits, "probes repeat it beside the recipe's figures"
        for lang in ("en", "zh"):
            assert all(word in worded(one, lang) for word in ("training_args.bin", "--trust-code", *assumed))


def test_a_log_that_lacks_the_rate_leaves_only_the_rate_unread() -> None:
    state = {"num_train_epochs": 3, "train_batch_size": 8, "log_history": []}
    assert of_state(state, pickled=True).unread == ("lr",)
    assert of_state(state, pickled=False).unread == ()
