"""timm's models: the classifier by timm's own word, its input by its own configuration."""

import numpy as np
import pytest
import timm
import torch

from audit.config.recipe import SourceSection
from audit.models.head import classes_of, find_head
from audit.models.source import build, input_of_weights
from audit.training.prepare import run
from probes.errors import DataError, DependencyError, RecipeError
from tests.audit.compared import same
from tests.audit.conftest import EXAMPLES, small_experiment


def small(name: str, **changes: object) -> dict:
    return {
        "source": {"model": f"timm:{name}", "options": {"num_classes": 7}},
        "input": {"size": 64, "channels": 3},
        "split": {"members": 10, "held_out": 10},
        "train": {"epochs": 1, "batch_size": 5, "lr": 0.01},
    } | changes


# A convolutional, an attention and a mixed one; `dla46x_c` has a 1 × 1 convolution for a classifier.
@pytest.mark.parametrize(
    ("name", "size", "head"),
    [
        ("test_resnet", 64, "fc"),
        ("test_vit", 160, "head"),
        ("test_efficientnet", 64, "classifier"),
        ("dla46x_c", 64, "fc"),
    ],
)
def test_new_head_and_a_step(name, size, head):
    experiment = small_experiment(**small(name, input={"size": size, "channels": 3}, transfer="features"))
    network = experiment.source.network(0)
    assert find_head(network) == head
    assert classes_of(network.get_submodule(head)) == 7
    before = experiment.begin(experiment.audited_row()).network.state_dict()
    after = run(experiment, "t", None).network.state_dict()
    assert len(after[f"{head}.bias"]) == 5
    assert {name for name in before if not torch.equal(before[name], after[name])} == {f"{head}.weight", f"{head}.bias"}


@pytest.mark.parametrize(
    "name",
    sorted({timm.list_models(module=module)[0] for module in timm.list_modules() if timm.list_models(module=module)}),
)
@pytest.mark.slow
def test_every_module_of_timm_has_its_classifier_found_or_says_why_not(name):
    with torch.device("meta"):
        network = timm.create_model(name, pretrained=False)
    declared = network.pretrained_cfg["classifier"]
    try:
        assert find_head(network) == declared
    except RecipeError as error:
        assert "several classifiers" in str(error) or "without a classifier" in str(error)  # noqa: PT017


def test_weights_from_a_file_under_another_head(tmp_path):
    torch.manual_seed(0)
    network = timm.create_model("test_resnet", num_classes=9)
    torch.save({"state_dict": network.state_dict(), "arch": "test_resnet"}, tmp_path / "w.pth")
    source = {"model": "timm:test_resnet", "weights": str(tmp_path / "w.pth")}
    experiment = small_experiment(**small("test_resnet", source=source))
    assert experiment.source.classes == 9
    assert same(experiment.source.network(0).state_dict(), network.state_dict())


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("test_resnett", {}, r"timm has no model 'test_resnett'\. Did you mean 'test_resnet"),
        ("hf-hub:someone/model", {}, "timm has no model 'hf-hub:someone/model'"),
        ("test_vit", {"num_classes": 0}, r"built without a classifier\. Set its number of classes"),
        ("deit_tiny_distilled_patch16_224", {}, r"several classifiers \(head, head_dist\)"),
        ("test_vit", {"checkpoint_path": "x"}, "would load weights that the recipe does not name"),
    ],
)
def test_mistaken_models(name, options, message):
    with pytest.raises(RecipeError, match=message) as caught:
        small_experiment(**small(name, source={"model": f"timm:{name}", "options": options}))
    assert "\n" not in str(caught.value)


def test_input_as_timm_says():
    section = SourceSection(model="timm:resnet18.a1_in1k", weights="pretrained")
    config = timm.data.resolve_data_config(pretrained_cfg=timm.get_pretrained_cfg("resnet18.a1_in1k").to_dict())
    found = input_of_weights(section)
    assert (found["size"], found["crop"]) == (235, 224)
    assert (found["mean"], found["std"]) == (config["mean"], config["std"])


def test_weights_that_are_not_here(monkeypatch):
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(timm, "create_model", unreachable)
    monkeypatch.setattr("audit.storage.downloads.check_reachable", lambda address: None)
    from audit.models.source import pretrained

    with pytest.raises(DataError, match=r"pretrained of timm:test_vit was not found.*Download it elsewhere"):
        pretrained(SourceSection(model="timm:test_vit", weights="pretrained"), EXAMPLES)


def test_timm_is_an_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "timm", None)
    with pytest.raises(DependencyError, match="pip install timm"):
        build(SourceSection(model="timm:test_resnet"), EXAMPLES, trust_code=False)


def test_a_private_step_folds_batchnorm():
    experiment = small_experiment(**small("test_resnet", privacy={"noise_multiplier": 1.0, "delta": 1e-3}))
    row = experiment.audited_row()
    plain = small_experiment(**small("test_resnet")).begin(row).network.eval()
    folded = experiment.begin(row).network.eval()
    with torch.no_grad():
        torch.testing.assert_close(folded(experiment.inputs[:4]), plain(experiment.inputs[:4]), rtol=1e-3, atol=1e-4)
    assert np.isfinite(run(experiment, "t", None).accounting.epsilon_prv)
