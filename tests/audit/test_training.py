"""The visible loop: what each option of the recipe does, on a network small enough to see it."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from audit.config.recipe import TrainSection, parse
from audit.training.loop import fine_tune, predict
from audit.training.optimizer import rate
from audit.training.prepare import run
from audit.training.transfer_modes import Trainee
from probes.errors import DependencyError, NonFiniteError, RecipeError
from tests.audit.compared import same
from tests.audit.conftest import small_experiment, small_recipe
from tests.audit.trained import SOURCE, before, bn_recipe, weights

TRAIN = {"epochs": 2, "lr": 0.05, "batch_size": 25}


def changed(experiment) -> set[str]:
    """Names of the modules whose weights training moved."""
    start = before(experiment)
    after = weights(run(experiment, "t", None))
    return {name.rpartition(".")[0] for name, value in after.items() if not torch.equal(value, start[name])}


def test_same_seed_same_weights_and_other_seed_other_weights():
    one, two = (weights(run(small_experiment(), "t", None)) for _ in range(2))
    other = weights(run(small_experiment(seed=1), "t", None))
    assert same(one, two)
    assert not same(one, other)


def test_global_random_state_is_left_alone(experiment):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    run(experiment, "t", None)
    assert torch.equal(torch.rand(1), expected)


def test_plain_sgd_is_plain_sgd(experiment):
    """Against a loop of ten lines: the same pieces, cross-entropy, SGD with momentum."""
    from audit.training.minibatches import pieces

    row = experiment.audited_row()
    trainee = experiment.begin(row)
    optimizer = torch.optim.SGD(trainee.network.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(2):
        for piece in pieces(experiment.pool.indices, 4, experiment.seed, row.order, epoch):
            batch = torch.from_numpy(piece[row.keep[piece]])
            loss = nn.functional.cross_entropy(trainee.network(experiment.inputs[batch]), experiment.labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    assert same(weights(fine_tune(experiment, row)), trainee.network.state_dict())


@pytest.mark.parametrize(
    ("transfer", "expected"),
    [
        ("features", {"9"}),
        ("last:1", {"7", "9"}),
        ("last:2", {"3", "7", "9"}),
        ("parameters", {"0", "3", "7", "9"}),
        ({"mode": "layers", "layers": ["0"]}, {"0", "9"}),
    ],
)
def test_what_transfers(transfer, expected):
    assert changed(small_experiment(transfer=transfer)) == expected


def test_mistaken_transfers():
    with pytest.raises(RecipeError, match=r"last:9 was requested for a network with 3 stages\. At most 3"):
        run(small_experiment(transfer="last:9"), "t", None)
    with pytest.raises(RecipeError, match="has no module 'layer4'"):
        run(small_experiment(transfer={"mode": "layers", "layers": ["layer4"]}), "t", None)


def watch(monkeypatch, recipe: dict) -> list[set[str]]:
    """The modules that take gradients in each epoch."""
    seen: list[set[str]] = []
    original = Trainee.train_mode

    def spy(self):
        original(self)
        seen.append({name.rpartition(".")[0] for name in self.parameters()})

    monkeypatch.setattr(Trainee, "train_mode", spy)
    run(small_experiment(**recipe), "t", None)
    return seen[1:]  # the first is the run's own look at what stays frozen


def test_head_first_then_all(monkeypatch):
    seen = watch(
        monkeypatch, {"transfer": {"mode": "lp-ft", "lp_epochs": 2}, "train": TRAIN | {"epochs": 4}, "source": SOURCE}
    )
    assert seen[-4:] == [{"9"}, {"9"}, {"0", "3", "7", "9"}, {"0", "3", "7", "9"}]


def test_gradual_unfreezing(monkeypatch):
    seen = watch(monkeypatch, {"transfer": "gradual", "train": TRAIN | {"epochs": 5}})
    assert seen == [{"9"}, {"7", "9"}, {"3", "7", "9"}, {"0", "3", "7", "9"}, {"0", "3", "7", "9"}]


def test_layer_wise_rates():
    """One step of plain SGD moves each layer by its own rate times its gradient."""
    train = {"epochs": 1, "lr": 0.1, "batch_size": 100, "momentum": 0.0}
    plain, decayed = (
        small_experiment(train=train),
        small_experiment(train=train, transfer={"mode": "parameters", "lr_decay": 0.5}),
    )
    start = before(plain)
    full, less = weights(run(plain, "t", None)), weights(run(decayed, "t", None))
    for layer, factor in (("9", 1), ("7", 0.5), ("3", 0.25), ("0", 0.125)):
        name = f"{layer}.weight"
        torch.testing.assert_close(less[name] - start[name], factor * (full[name] - start[name]), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        (TrainSection(epochs=2), [1, 1, 1, 1]),
        (TrainSection(epochs=2, schedule="linear"), [1, 0.75, 0.5, 0.25]),
        (TrainSection(epochs=2, schedule="cosine"), [0.5 * (1 + np.cos(np.pi * t / 4)) for t in range(4)]),
        (TrainSection(epochs=2, schedule="step", milestones=(1,), gamma=0.1), [1, 1, 0.1, 0.1]),
        (TrainSection(epochs=2, warmup_epochs=1, schedule="linear"), [1 / 3, 2 / 3, 1, 0.5]),
    ],
)
def test_schedules(section, expected):
    assert [rate(section, step, 2) for step in range(4)] == pytest.approx(expected)


def statistics(state: dict) -> dict:
    return {name: value for name, value in state.items() if "running" in name or "num_batches" in name}


@pytest.mark.parametrize(
    ("transfer", "moved"),
    [("features", 0), ("parameters", 60), ({"mode": "parameters", "batchnorm": "frozen"}, 0), ("last:1", 6)],
)
def test_frozen_statistics_stay(transfer, moved):
    experiment = small_experiment(**bn_recipe(transfer=transfer))
    start = statistics(before(experiment))
    after = weights(run(experiment, "t", None))
    assert sum(not torch.equal(value, after[name]) for name, value in start.items()) == moved


def test_a_module_that_rewrites_itself_though_frozen_is_an_error(experiment, monkeypatch):
    class Counter(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("calls", torch.zeros(1))

        def forward(self, x):
            self.calls += 1
            return x

    begin = type(experiment).begin

    def with_counter(self, row):
        trainee = begin(self, row)
        network = trainee.network
        network[8] = nn.Sequential(Counter(), nn.ReLU())
        for parameter in network[0].parameters():
            parameter.requires_grad_(False)
        phases = tuple(dataclasses.replace(phase, trained=("9.weight", "9.bias")) for phase in trainee.phases)
        return dataclasses.replace(trainee, phases=phases, trained=("9.weight", "9.bias"))

    monkeypatch.setattr(type(experiment), "begin", with_counter)
    with pytest.raises(RecipeError, match=r"8\.0\.calls is frozen but was changed"):
        run(experiment, "t", None)


def test_frozen_dropout_is_off_and_the_heads_is_on():
    experiment = small_experiment(
        source={"model": "torchvision:vgg11", "options": {"num_classes": 3}},
        input={"size": 32, "channels": 3},
        transfer="features",
        head={"dropout": 0.3},
    )
    trainee = experiment.begin(experiment.audited_row())
    trainee.train_mode()
    on = [
        name for name, module in trainee.network.named_modules() if isinstance(module, nn.Dropout) and module.training
    ]
    assert on == ["classifier.6.0"]
    assert trainee.head == "classifier.6.1"


def test_early_stopping_and_best_epoch_choose_by_validation_loss():
    train = {"epochs": 30, "lr": 0.3, "batch_size": 25, "patience": 3, "select": "best"}
    experiment = small_experiment(train=train)
    trained = run(experiment, "t", None)
    losses = trained.trace.validation_loss
    best = int(np.argmin(losses))
    assert trained.epoch == best + 1
    assert len(losses) == best + 1 + 3 < 30
    shorter = small_experiment(train=train | {"epochs": best + 1})
    assert same(weights(trained), weights(run(shorter, "t", None)))


def test_choosing_needs_a_validation_split():
    split = {"members": 100, "held_out": 100}
    with pytest.raises(RecipeError, match="need validation samples"):
        parse(small_recipe(train={"select": "best"}, split=split), "t")


def test_label_smoothing_and_clipping_change_the_step():
    plain = weights(run(small_experiment(), "t", None))
    assert not same(plain, weights(run(small_experiment(train=TRAIN | {"label_smoothing": 0.2}), "t", None)))
    train = {"epochs": 1, "lr": 1.0, "momentum": 0.0, "batch_size": 100, "clip_norm": 0.01}
    clipped = small_experiment(train=train)
    start, after = before(clipped), weights(run(clipped, "t", None))
    moved = torch.cat([(after[name] - start[name]).flatten() for name in start]).norm()
    assert float(moved) == pytest.approx(0.01, rel=1e-3)


def test_divergence_is_an_error_with_advice():
    with pytest.raises(NonFiniteError, match=r"epoch \d.*Lower train\.lr"):
        run(small_experiment(train={"epochs": 3, "lr": 1e6, "batch_size": 25}), "t", None)


def test_bfloat16_and_compile_are_options(monkeypatch):
    """Compiling takes a minute, so only the request is checked here; `test_compiled_training_is_the_same` compiles."""
    called = []

    def record(network):
        called.append(type(network).__name__)
        return network

    monkeypatch.setattr(torch, "compile", record)
    low = run(small_experiment(train=TRAIN | {"precision": "bfloat16", "compile": True}), "t", None)
    assert called == ["Sequential"]
    assert not same(weights(low), weights(run(small_experiment(), "t", None)))
    assert np.isfinite(predict(low.network, small_experiment().inputs)).all()


@pytest.mark.slow
def test_compiled_training_is_the_same():
    plain, compiled = (run(small_experiment(train=TRAIN | {"compile": on}), "t", None) for on in (False, True))
    for name, value in weights(plain).items():
        torch.testing.assert_close(weights(compiled)[name], value, rtol=1e-3, atol=1e-5)


def test_no_compiler_is_one_line(monkeypatch):
    from torch._dynamo.exc import TorchDynamoException

    def fail(network):
        def forward(inputs):
            raise TorchDynamoException("InvalidCxxCompiler: No working C++ compiler found\n\nmuch more")

        return forward

    monkeypatch.setattr(torch, "compile", fail)
    with pytest.raises(DependencyError, match=r"No working C\+\+ compiler found.*omit train\.compile") as caught:
        run(small_experiment(train=TRAIN | {"compile": True}), "t", None)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("regularise", [{"bss": 0.1}, {"attention": 1.0}])
def test_compiled_code_cannot_be_looked_into(regularise):
    with pytest.raises(RecipeError, match=r"train\.compile cannot be combined with"):
        parse(small_recipe(train={"compile": True}, regularise=regularise), "t")


def test_a_single_sample_of_a_minibatch_under_batchnorm_is_left_out():
    experiment = small_experiment(
        **bn_recipe(split={"members": 12, "held_out": 12}, train={"epochs": 2, "batch_size": 1})
    )
    assert np.isfinite(run(experiment, "t", None).trace.train_loss).all()


def test_custom_head():
    experiment = small_experiment(head={"factory": "small_networks:mlp_head"})
    trainee = experiment.begin(experiment.audited_row())
    assert isinstance(trainee.network[9], nn.Sequential)
    assert len(run(experiment, "t", None).trained) == 10
