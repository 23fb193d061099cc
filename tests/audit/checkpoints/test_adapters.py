"""PEFT's kinds of adapters: they answer as the library's model does, and replicas begin as the library begins."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from audit.checkpoints.audited_model import Audited
from audit.checkpoints.folders.completed import completing
from audit.checkpoints.open_model import open_checkpoint
from audit.config.recipe import RecipeFile, parse
from audit.config.run_settings import Settings
from audit.models.families.peft import BASE, plain
from probes.errors import CheckpointError
from probes.message import Message
from tests.audit.saved_models import messages, text_classifier

peft = pytest.importorskip("peft")
transformers = pytest.importorskip("transformers")

CONTENT = {"data": {"kind": "text", "path": "messages.csv"}, "split": {"members": 30, "held_out": 30}}
WHOLE = {"task_type": "SEQ_CLS", "modules_to_save": ["classifier", "pooler"]}
LORA = {"r": 2, "target_modules": ["query"], **WHOLE}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A masked language model, which lacks the pooler and the classifier, beside the texts."""
    folder = tmp_path_factory.mktemp("adapters")
    messages(folder)
    return text_classifier(folder)[1]


def saved(base: Path, described: Any, name: str) -> tuple[Path, Any]:
    """(the folder of an adapter that was changed as by training, its model)"""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(1)
        names = {"id2label": {0: "spam", 1: "ham"}, "label2id": {"spam": 0, "ham": 1}}
        network = transformers.AutoModelForSequenceClassification.from_pretrained(base, **names)
        adapted = peft.get_peft_model(network, described).eval()
        for parameter in adapted.parameters():
            if parameter.requires_grad:
                parameter.data += 0.3 * torch.randn_like(parameter)
        adapted.save_pretrained(base.parent / name)
    return base.parent / name, adapted


def opened(adapter: Path, base: Path) -> Audited:
    complete = completing(adapter, base.parent, base, trust_code=False)
    assert complete is not None
    content = complete({**CONTENT, "data": {**CONTENT["data"], "names": ["spam", "ham"]}})
    recipe = RecipeFile(recipe=parse(content, "recipe"), path=base.parent / "recipe.toml")
    return open_checkpoint(adapter, Settings(store=base.parent / "store", recipe=recipe, base=base))


KINDS: dict[str, Any] = {
    "LoRA": lambda: peft.LoraConfig(**LORA, lora_dropout=0.1, bias="all"),
    "DoRA": lambda: peft.LoraConfig(**LORA, use_dora=True),
    "rsLoRA": lambda: peft.LoraConfig(**LORA, use_rslora=True),
    "PiSSA": lambda: peft.LoraConfig(**LORA, init_lora_weights="pissa"),
    "trained tokens": lambda: peft.LoraConfig(**LORA, trainable_token_indices=[4, 5]),
    "IA3": lambda: peft.IA3Config(target_modules=["output.dense"], feedforward_modules=["output.dense"], **WHOLE),
    "VeRA": lambda: peft.VeraConfig(r=2, target_modules=["query"], **WHOLE),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS)
def test_an_adapter_of_any_kind_answers_and_begins_as_in_its_library(base: Path, kind: str) -> None:
    adapter, theirs = saved(base, KINDS[kind](), kind)
    found = opened(adapter, base)
    read = transformers.AutoTokenizer.from_pretrained(base)
    texts = list(found.experiment.dataset.texts)
    with torch.no_grad():
        expected = theirs(**read(texts, truncation=True, padding=True, return_tensors="pt")).logits.numpy()
    np.testing.assert_allclose(found.logits(), expected, atol=1e-5)
    trainee = found.experiment.begin(found.experiment.audited_row())
    assert set(trainee.trained) == {name for name, value in theirs.named_parameters() if value.requires_grad}
    one, other = (found.experiment.source.network(seed).state_dict() for seed in (1, 2))
    pooler = f"{BASE}bert.pooler.modules_to_save.default.dense.weight"
    assert not torch.equal(one[pooler], other[pooler])
    assert torch.equal(one[pooler], one[pooler.replace("modules_to_save.default", "original_module")])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["DoRA", "PiSSA"])
def test_what_a_library_computes_from_the_base_is_computed_from_it_in_replicas_too(base: Path, kind: str) -> None:
    """DoRA's magnitudes are norms of the base's weights; PiSSA takes its adapter out of them."""
    adapter, _ = saved(base, KINDS[kind](), f"{kind} at the start")
    network = opened(adapter, base).experiment.source.network(3)
    layer = network.get_submodule(f"{BASE}bert.encoder.layer.0.attention.self.query")
    whole = transformers.AutoModelForMaskedLM.from_pretrained(base).get_submodule(
        "bert.encoder.layer.0.attention.self.query"
    )
    weight = whole.weight.detach()
    if kind == "DoRA":
        torch.testing.assert_close(layer.lora_magnitude_vector["default"].weight, weight.norm(dim=1))
    else:
        torch.testing.assert_close(layer.get_base_layer().weight + layer.get_delta_weight("default"), weight)
        assert not torch.allclose(layer.get_base_layer().weight, weight)


@pytest.mark.filterwarnings("ignore")
def test_parts_that_the_base_lacks_are_named_without_the_librarys_wrappers(base: Path) -> None:
    adapter, _ = saved(base, KINDS["DoRA"](), "named")
    said = {one.code: one.values for one in opened(adapter, base).checkpoint.limits if isinstance(one, Message)}
    query = "bert.encoder.layer.*.attention.self.query"
    lora = tuple(f"{query}.{name}" for name in ("lora_A", "lora_B", "lora_magnitude_vector"))
    assert said["audit.source-lacks"]["parts"] == (*lora, "bert.pooler.dense", "classifier")
    assert plain(f"{BASE}bert.pooler.original_module.dense.weight") == "bert.pooler.dense.weight"


@pytest.mark.filterwarnings("ignore")
def test_an_adapter_that_lacks_a_part_or_trains_tokens_alone_is_refused(base: Path) -> None:
    described = peft.LoraConfig(r=2, target_modules=["query"], task_type="SEQ_CLS", use_dora=True)
    adapter, _ = saved(base, described, "without its pooler")
    with pytest.raises(CheckpointError, match=r"lacks bert\.pooler\.dense, and so does the base"):
        opened(adapter, base)
    adapter, _ = saved(base, peft.PromptTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=2), "prompt")
    with pytest.raises(CheckpointError, match="of the kind PROMPT_TUNING, which trains tokens"):
        opened(adapter, base)
