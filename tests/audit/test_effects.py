"""What each option does to the model, as the paper it comes from says. Others stand where their part is tested: L1, L2,
L2-SP, BSS, attention maps (test_regularise), attention transfer (test_attention), DANN (test_align), clipping, rates by
layer, unfreezing, early stopping (test_training), DP-SGD (test_private)."""

import numpy as np
import torch
from torch.nn import functional

from audit.training.experiment import Experiment
from audit.training.loop import predict
from audit.training.prepare import run
from audit.training.transfer_selection import resolve_transfer
from tests.audit.conftest import small_experiment
from tests.audit.trained import SOURCE, before, weights

GOOD_SOURCE = SOURCE | {
    "training": {
        "data": {"kind": "digits", "classes": ["5", "6", "7", "8", "9"]},
        "split": {"members": 500, "held_out": 50},
        "train": {"epochs": 20, "lr": 0.05, "batch_size": 25},
    }
}
"""It has learned the target task itself; only its head is thrown away."""
LONG = {"epochs": 40, "lr": 0.05, "batch_size": 25}


def losses(experiment: Experiment) -> tuple[float, float]:
    """Mean cross-entropy on members and on held-out samples, after training."""
    logits = torch.from_numpy(predict(run(experiment, "t", None).network, experiment.inputs))
    each = functional.cross_entropy(logits, experiment.labels, reduction="none").numpy()
    return float(each[experiment.pool.member].mean()), float(each[experiment.pool.held_out].mean())


def gap(**changes: object) -> float:
    """Held-out less members' loss, a mean over seeds."""
    pairs = [losses(small_experiment(**{"train": LONG, "seed": seed} | changes)) for seed in range(2)]
    return float(np.mean([out - inside for inside, out in pairs]))


def test_dropout_and_augmentation_narrow_the_gap():
    """Srivastava 2014, section 6.1; He 2016, section 4.2."""
    plain = gap()
    assert gap(head={"dropout": 0.5}) < 0.8 * plain
    assert gap(augment=[{"name": "RandomCrop", "size": 8, "padding": 1}]) < 0.8 * plain


def test_label_smoothing_leaves_the_confidence_it_asks_for():
    """Szegedy 2016, section 7: the best a network can do is to give the label 1 − ε + ε/K."""

    def confidence(smoothing: float) -> float:
        experiment = small_experiment(train=LONG | {"label_smoothing": smoothing})
        logits = torch.from_numpy(predict(run(experiment, "t", None).network, experiment.inputs))
        chosen = torch.from_numpy(experiment.pool.member)
        return float(logits.softmax(1)[chosen, experiment.labels[chosen]].mean())

    assert confidence(0.0) > 0.97
    assert abs(confidence(0.25) - (1 - 0.25 + 0.25 / 5)) < 0.05


def test_training_the_head_first_distorts_the_features_less():
    """Kumar 2022, section 3.2: a random head sends its errors down into good features."""

    def moved(transfer: object, epochs: int) -> float:
        train = {"epochs": epochs, "lr": 0.02, "batch_size": 25, "momentum": 0.0}
        experiment = small_experiment(source=GOOD_SOURCE, transfer=transfer, train=train)
        start, after = before(experiment), weights(run(experiment, "t", None))
        body = [(after[name] - start[name]).flatten() for name in after if not name.startswith("9.")]
        return float(torch.cat(body).norm())

    assert moved({"mode": "lp-ft", "lp_epochs": 8, "lp_lr": 0.2}, epochs=16) < 0.5 * moved("parameters", epochs=8)


def test_auto_trains_fewer_layers_the_better_the_source_fits_the_task():
    content = {"transfer": "auto", "train": {"epochs": 15, "lr": 0.05, "batch_size": 25}}
    knows = resolve_transfer(small_experiment(source=GOOD_SOURCE, **content))
    knows_nothing = resolve_transfer(small_experiment(**content))
    assert knows.recipe.transfer.mode == "features"
    assert knows_nothing.recipe.transfer.mode == "parameters"
    assert knows.chosen["logme"] > knows_nothing.chosen["logme"]
