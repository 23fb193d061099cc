import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import VGG16_Weights

from audit.checkpoints import checkpoint
from audit.checkpoints.finetune import to_file, train_into
from audit.config import recipe
from audit.config.recipe import InputSection, SourceSection, parse
from audit.mitigation.countermeasures import candidates
from audit.models.families.base import family_of
from audit.models.head import classes_of, find_head
from audit.models.source import build
from audit.models.weight_files import digest_state
from audit.training.prepare import keeper_of, prepare, run
from audit.training.preprocessing import preprocess, resolve
from audit.training.resume_state import Keeper
from probes.errors import CheckpointError, DependencyError, OverwriteError, RecipeError
from tests.audit.compared import same
from tests.audit.conftest import EXAMPLES, small_experiment, small_recipe
from tests.audit.trained import SOURCE


def test_to_file_writes_a_checkpoint_and_leaves_nothing_else(tmp_path):
    told = []
    out = tmp_path / "new" / "model.pt"
    content = small_recipe(source=SOURCE)
    to_file(parse(content, "t"), EXAMPLES, out, trust_code=True, progress=lambda *args: told.append(args[:3]))
    assert [path.name for path in out.parent.iterdir()] == ["model.pt"]
    assert told == [("source", 1, 3), ("source", 2, 3), ("source", 3, 3), ("target", 1, 2), ("target", 2, 2)]
    assert checkpoint.load(out).epoch == 2
    with pytest.raises(OverwriteError):
        to_file(parse(content, "t"), EXAMPLES, out, trust_code=True, progress=lambda *args: pytest.fail("it trained"))


# DP, momentum, phases, dropout and a domain classifier: everything that has a state.
STATEFUL = [
    {
        "train": {"epochs": 4, "lr": 0.05, "batch_size": 25, "optimizer": "adam", "select": "best"},
        "head": {"dropout": 0.5},
    },
    {"transfer": {"mode": "lp-ft", "lp_epochs": 2}, "train": {"epochs": 4, "lr": 0.05, "batch_size": 25}},
    {"privacy": {"noise_multiplier": 1.0, "delta": 1e-3}, "train": {"epochs": 4, "lr": 0.05, "batch_size": 25}},
    {
        "align": {"data": {"kind": "digits", "classes": ["0", "1"]}},
        "train": {"epochs": 4, "lr": 0.02, "batch_size": 25},
    },
]


@pytest.mark.parametrize("content", STATEFUL, ids=["adam-dropout-best", "lp-ft", "private", "align"])
@pytest.mark.parametrize("after", [1, 3])
def test_a_run_that_stops_goes_on_to_the_same_weights(tmp_path, content, after):
    whole = run(small_experiment(**content), "t", None)

    class Stop(Exception):
        pass

    def stop(stage, epoch, epochs, record):
        if epoch == after:
            raise Stop

    keeper = Keeper(tmp_path / "state", "this run")
    with pytest.raises(Stop):
        run(small_experiment(**content), "t", stop, keeper)
    seen = []
    experiment = small_experiment(**content)
    again = run(experiment, "t", lambda *args: seen.append(args[1]), keeper)
    assert seen == list(range(after + 1, 5))
    assert same(whole.network.state_dict(), again.network.state_dict())
    np.testing.assert_array_equal(whole.trace.train_loss, again.trace.train_loss)
    assert whole.accounting == again.accounting


def test_state_of_another_run_or_a_damaged_one_is_not_taken_up(tmp_path, experiment):
    run(experiment, "t", None, Keeper(tmp_path / "state", "one"))
    assert Keeper(tmp_path / "state", "one").load() is not None
    assert Keeper(tmp_path / "state", "other").load() is None
    (tmp_path / "state").write_bytes((tmp_path / "state").read_bytes()[:500])
    assert Keeper(tmp_path / "state", "one").load() is None


def test_state_of_other_code_is_not_taken_up(tmp_path):
    """The recipe names the network's code, and an edit of it makes another run."""
    shutil.copy(EXAMPLES / "small_networks.py", tmp_path)
    keepers = []
    for edit in ("", "# another line\n"):
        with (tmp_path / "small_networks.py").open("a") as file:
            file.write(edit)
        made = prepare(parse(small_recipe(), "t"), tmp_path, trust_code=True)
        keepers.append(keeper_of(made, tmp_path / "m.pt", "target").identity)
    assert keepers[0] != keepers[1]


def test_a_split_without_validation_chooses_no_epoch(tmp_path):
    """With NaN losses the first epoch would silently be the best."""
    np.savez(tmp_path / "split.npz", members=np.arange(100), held_out=np.arange(100, 200))
    split = {"file": str(tmp_path / "split.npz")}
    for train in ({"epochs": 3, "select": "best"}, {"epochs": 3, "patience": 1}):
        with pytest.raises(RecipeError, match=r"\[split\]: .*validation samples, but the split has none"):
            small_experiment(split=split, train=train)
    plain = small_experiment(split=split)
    (stopping,) = candidates(plain.recipe, ["early-stopping"], 8).recipes
    with pytest.raises(RecipeError, match="the split has none"):
        train_into(plain.with_recipe(stopping.recipe), tmp_path / "m.pt", EXAMPLES)


SCRIPT = """
    import sys, torch
    from pathlib import Path
    from audit.checkpoints.finetune import to_file
    from audit.config import recipe
    torch.set_num_threads(1)
    def progress(stage, epoch, epochs, record):
        print(stage, epoch, flush=True)
    path = Path(sys.argv[1])
    to_file(recipe.load(path), path.parent, Path(sys.argv[2]), trust_code=True, progress=progress)
"""


def start(path: Path, out: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), str(path), str(out)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_kill_nine_in_mid_epoch_and_resume(tmp_path):
    text = (EXAMPLES / "digits.toml").read_text()
    (tmp_path / "digits.toml").write_text(
        text.replace("epochs = 20", "epochs = 12").replace("epochs = 10", "epochs = 2")
    )
    (tmp_path / "small_networks.py").write_text((EXAMPLES / "small_networks.py").read_text())
    recipe_path, out = tmp_path / "digits.toml", tmp_path / "killed.pt"
    first = start(recipe_path, out)
    assert first.stdout is not None
    for line in first.stdout:
        if line.startswith("target 3"):
            break
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    first.stdout.close()
    assert not out.exists()
    told, _ = start(recipe_path, out).communicate(timeout=120)
    epochs = [int(line.split()[1]) for line in told.splitlines() if line.startswith("target")]
    assert 4 <= epochs[0] <= 12
    assert "source" not in told
    whole = to_file(recipe.load(recipe_path), tmp_path, tmp_path / "whole.pt", trust_code=True)[1]
    assert digest_state(checkpoint.load(out).state) == digest_state(whole.network.state_dict())
    assert sorted(path.name for path in tmp_path.glob("*.pt*")) == ["killed.pt", "whole.pt"]
    assert not list(tmp_path.glob(".*"))


def test_auto_says_why(tmp_path):
    content = small_recipe(source=SOURCE, transfer="auto", train={"epochs": 6, "lr": 0.05, "batch_size": 25})
    experiment, trained = to_file(parse(content, "t"), EXAMPLES, tmp_path / "auto.pt", trust_code=True)
    loaded = checkpoint.load(tmp_path / "auto.pt")
    assert loaded.recipe.transfer.mode == experiment.recipe.transfer.mode != "auto"
    assert set(loaded.chosen["accuracy"]) == {"features", "last:1", "parameters with L2-SP 0.01", "parameters"}
    assert loaded.chosen["transfer"] in loaded.chosen["because"]
    means = {name: np.mean(values) for name, values in loaded.chosen["accuracy"].items()}
    assert means[loaded.chosen["transfer"]] >= max(means.values()) - loaded.chosen["standard_error"]
    assert trained.epoch == 6


# One of every family; the smallest input each takes.
FAMILIES = {
    "alexnet": 64, "convnext_tiny": 32, "densenet121": 32, "efficientnet_b0": 32, "googlenet": 32, "mnasnet0_5": 32,
    "mobilenet_v2": 32, "mobilenet_v3_small": 32, "regnet_y_400mf": 32, "resnet18": 32, "shufflenet_v2_x0_5": 32,
    "squeezenet1_1": 32, "swin_t": 32, "vit_b_32": 64,
}  # fmt: skip
LARGE = {"inception_v3": 96, "maxvit_t": 224, "vgg11": 32}
COUSINS = ("efficientnet_v2_s", "resnext50_32x4d", "swin_v2_t", "vgg11_bn", "wide_resnet50_2")


@pytest.mark.parametrize(
    "name", [*FAMILIES, *(pytest.param(name, marks=pytest.mark.slow) for name in (*LARGE, *COUSINS))]
)
def test_every_torchvision_family_takes_a_new_head_and_a_step(name):
    size = (FAMILIES | LARGE).get(name, 32)
    options = {"image_size": size} if name.startswith("vit") else {}
    options |= {"init_weights": False} if name.startswith("vgg") else {}
    experiment = small_experiment(
        source={"model": f"torchvision:{name}", "options": options},
        input={"size": size, "channels": 3},
        split={"members": 5, "held_out": 5},
        data={"kind": "digits", "classes": ["7", "8", "9"]},
        train={"epochs": 1, "batch_size": 5, "lr": 0.001},
        transfer="features",
    )
    network = experiment.source.network(0)
    assert classes_of(network.get_submodule(find_head(network))) == 1000
    head = experiment.begin(experiment.audited_row()).network.get_submodule(find_head(network))
    assert classes_of(head) == 3
    trained = run(experiment, "t", None)
    assert trained.head == find_head(network)
    assert np.isfinite(trained.trace.train_loss).all()
    # Random features may be so small that a step is lost in a weight's last bit; one head has no bias.
    part = "weight" if head.bias is None else "bias"
    assert not torch.equal(getattr(trained.network.get_submodule(trained.head), part), getattr(head, part))


def test_a_head_the_recipe_names_is_the_sources_too(tmp_path):
    """A network whose last Linear is another branch's."""
    (tmp_path / "branched.py").write_text(
        textwrap.dedent("""
        from torch import nn

        class Branched(nn.Module):
            def __init__(self, num_classes):
                super().__init__()
                self.flat = nn.Flatten()
                self.body, self.top = nn.Linear(64, 8), nn.Linear(8, num_classes)
                self.unused = nn.Linear(8, 3)

            def forward(self, x):
                return self.top(self.body(self.flat(x)).relu())

        def branched(num_classes=10):
            return Branched(num_classes)
    """)
    )
    source = {"model": "branched:branched", "training": SOURCE["training"]}
    content = small_recipe(source=source, head={"name": "top"})
    experiment, _ = to_file(parse(content, "t"), tmp_path, tmp_path / "m.pt", trust_code=True)
    assert len(experiment.source.state["top.bias"]) == 5
    assert len(experiment.source.state["unused.bias"]) == 3
    loaded = checkpoint.load(tmp_path / "m.pt").experiment(experiment.dataset, trust_code=True)
    assert same(dict(loaded.source.network(0).state_dict()), dict(experiment.source.state))


def test_a_vgg16s_last_layer_takes_4096_features():
    section = SourceSection(model="torchvision:vgg16")
    family, name = family_of(section)
    with torch.device("meta"):  # for its shapes alone
        network = family.build(name, section, EXAMPLES, trust_code=False)
    assert network.get_submodule(find_head(network)).in_features == 4096


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"model": "torchvision:resnet19"}, r"no model 'resnet19'\. Did you mean 'resnet1"),
        ({"model": "torchvision:resnet18", "weights": "IMAGENET1K_V9"}, r"Did you mean 'IMAGENET1K_V1'"),
        ({"model": "torchvision:resnet18", "options": {"with": 3}}, "refuses its options"),
        (
            {"model": "torchvision:resnet18", "options": {"weights": "DEFAULT"}},
            "would load weights that the recipe does not name",
        ),
        (
            {"model": "small_networks:digits_cnn", "weights": "nowhere"},
            "is not a file, and a factory's models have no named weights",
        ),
        ({"model": "small_networks:mlp", "options": {"features": 9}}, r"does not take inputs of \(1, 8, 8\)"),
        ({"model": "small_networks:spoken"}, "has no 'spoken'"),
    ],
)
def test_mistaken_sources(source, message):
    with pytest.raises(RecipeError, match=message) as caught:
        small_experiment(source=source)
    assert "\n" not in str(caught.value)


def test_a_factory_whose_package_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    content = recipe.load(EXAMPLES / "text_transformer.toml")
    with pytest.raises(
        DependencyError, match=r"tiny_bert needs a package that is not installed: .*transformers"
    ) as caught:
        prepare(content, EXAMPLES, trust_code=True)
    assert "\n" not in str(caught.value)


def test_a_head_that_gives_no_logits_is_named(tmp_path):
    (tmp_path / "bad.py").write_text(
        "from torch import nn\ndef head(features, classes): return nn.Linear(features, 99)\n"
    )
    content = small_recipe(source={"model": "torchvision:squeezenet1_1"}, input={"size": 32, "channels": 3})
    with pytest.raises(RecipeError, match="cannot import 'nothing'"):
        prepare(parse(content | {"head": {"factory": "nothing:head"}}, "t"), tmp_path, trust_code=True)
    content = small_recipe(source={"model": "torchvision:resnet18"}, input={"size": 32, "channels": 3})
    with pytest.raises(RecipeError, match=r"gives \(2, 99\), not \(2, 5\)"):
        prepare(parse(content | {"head": {"factory": "bad:head"}}, "t"), tmp_path, trust_code=True)


def test_weights_from_a_file_with_its_digest(tmp_path):
    from audit.models.weight_files import digest_file

    network = build(SourceSection(model="small_networks:digits_cnn"), EXAMPLES, trust_code=True)
    wild = {f"module.{name}": value for name, value in network.state_dict().items()}
    torch.save({"state_dict": wild, "best_prec1": 91.0}, tmp_path / "w.th")
    source = {"model": "small_networks:digits_cnn", "weights": str(tmp_path / "w.th")}
    experiment = small_experiment(source=source | {"sha256": digest_file(tmp_path / "w.th")})
    assert same(dict(experiment.source.state), network.state_dict())
    assert experiment.source.classes == 10
    assert small_experiment(source=source).recipe.source.sha256 == digest_file(tmp_path / "w.th")
    with pytest.raises(CheckpointError, match="has sha256"):
        small_experiment(source=source | {"sha256": "0" * 64})
    narrow = source | {"options": {"width": 4}}
    with pytest.raises(CheckpointError, match="do not fit small_networks:digits_cnn"):
        small_experiment(source=narrow)


def test_normalisation_from_the_weights():
    content = small_recipe(
        source={"model": "torchvision:vgg16", "weights": "IMAGENET1K_V1"}, input={"normalise": "weights"}
    )
    experiment = small_experiment()
    section = resolve(parse(content, "t"), experiment.dataset, experiment.pool)
    transforms = VGG16_Weights.IMAGENET1K_V1.transforms()
    assert (section.size, section.crop) == (256, 224)
    assert section.mean == tuple(transforms.mean)
    assert section.std == tuple(transforms.std)


def test_preprocessing_is_torchvisions(experiment):
    """Resize, crop and normalise against torchvision's own transform of the weights."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, 40, 40, 3), dtype=np.uint8)
    section = InputSection(size=32, crop=28, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    from torchvision.transforms._presets import ImageClassification

    theirs = ImageClassification(crop_size=28, resize_size=32)(torch.from_numpy(images).permute(0, 3, 1, 2))
    torch.testing.assert_close(preprocess(images, section, "image"), theirs, rtol=0, atol=0.02)


def test_standardisation_by_the_members_alone():
    experiment = small_experiment()
    content = small_recipe(input={"normalise": "members"})
    section = resolve(parse(content, "t"), experiment.dataset, experiment.pool)
    members = experiment.dataset.inputs[experiment.pool.member] / 255
    assert section.mean == pytest.approx((members.mean(),), rel=1e-5)
    assert section.std == pytest.approx((members.std(),), rel=1e-5)
    assert section.normalise == "members"  # a private candidate of this recipe must be refused


def test_an_unsupported_network_is_refused():
    with pytest.raises(RecipeError, match="found no classifier"):
        find_head(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()))


@pytest.mark.parametrize("name", ["audio", "text", "text_transformer", "digits"])
def test_examples_run(name):
    content = recipe.load(EXAMPLES / f"{name}.toml")
    epochs = content.train.epochs if name == "text_transformer" else 2  # its rate warms up over the first
    short = content.model_copy(update={"train": content.train.model_copy(update={"epochs": epochs})})
    trained = run(prepare(short, EXAMPLES, trust_code=True), "t", None)
    assert trained.trace.train_loss[-1] < trained.trace.train_loss[0]


def test_the_new_head_does_not_begin_where_the_source_head_did() -> None:
    """Where it does, source and target have the same classes in the same places, which no replica has."""
    experiment = small_experiment(source=SOURCE)
    trainee = experiment.begin(experiment.audited_row())
    new = trainee.network.get_submodule(trainee.head).weight.detach().flatten()
    assert experiment.source.state is not None
    old = experiment.source.state[f"{trainee.head}.weight"].flatten()
    assert new.shape == old.shape
    assert abs(torch.corrcoef(torch.stack([new, old]))[0, 1]) < 0.5
