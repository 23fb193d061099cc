import numpy as np
import pytest
import torch
from opacus.accountants import PRVAccountant, RDPAccountant
from torch import nn

from audit.checkpoints import checkpoint
from audit.config.recipe import PrivacySection, parse
from audit.training.canaries import plant
from audit.training.dp_sgd import account, check_buffers, check_sampling, noise_for
from audit.training.loop import predict
from audit.training.prepare import run
from probes.errors import PrivacyError, RecipeError
from tests.audit.compared import same
from tests.audit.conftest import EXAMPLES, small_experiment, small_recipe
from tests.audit.trained import PRIVACY, SOURCE, before, bn_recipe, weights


def test_epsilon_is_the_accountants():
    """Known values at σ = 1, q = 0.01, 1,000 steps, δ = 1e-5."""
    accounting = account(PrivacySection(noise_multiplier=1.0), 1.0, 0.01, 1000)
    assert accounting.epsilon_rdp == pytest.approx(2.101, abs=2e-3)
    assert accounting.epsilon_prv == pytest.approx(1.838, abs=1e-2)


def test_what_a_run_claims_is_what_its_steps_cost():
    trained = run(small_experiment(privacy=PRIVACY, train={"epochs": 3, "batch_size": 25, "lr": 0.05}), "t", None)
    accounting = trained.accounting
    assert (accounting.steps, accounting.sample_rate, accounting.noise_multiplier) == (12, 0.25, 1.0)
    for kind, value in ((PRVAccountant, accounting.epsilon_prv), (RDPAccountant, accounting.epsilon_rdp)):
        theirs = kind()
        for _ in range(12):
            theirs.step(noise_multiplier=1.0, sample_rate=0.25)
        assert value == pytest.approx(theirs.get_epsilon(delta=1e-3), rel=1e-6)
    assert accounting.claim.epsilon == accounting.epsilon_prv


def test_target_epsilon_is_kept():
    section = PrivacySection(epsilon=3.0, delta=1e-3)
    sigma = noise_for(section, 0.25, 40)
    epsilon = account(section, sigma, 0.25, 40).claim.epsilon
    assert 2.8 < epsilon <= 3.0


@pytest.mark.parametrize("l2", [0.0, 0.1])
def test_one_step_is_clipped_sum_plus_noise(l2):
    """Against the definition: clip each sample's gradient to C, sum, add N(0, (σC)²), divide by the expected size; a
    penalty, which looks at no sample, stands outside of that."""
    train = {"epochs": 1, "batch_size": 100, "lr": 1.0, "momentum": 0.0}
    privacy = {"noise_multiplier": 1e-6, "clip_norm": 0.05, "delta": 1e-3}
    experiment = small_experiment(train=train, privacy=privacy, regularise={"l2": l2})
    row, start = experiment.audited_row(), before(experiment)
    trainee = experiment.begin(row)
    total = {name: torch.zeros_like(value) for name, value in trainee.parameters().items()}
    for index in np.flatnonzero(row.keep):
        logits = trainee.network(experiment.inputs[index : index + 1])
        loss = nn.functional.cross_entropy(logits, experiment.labels[index : index + 1])
        gradients = torch.autograd.grad(loss, list(trainee.parameters().values()))
        norm = torch.cat([gradient.flatten() for gradient in gradients]).norm()
        for name, gradient in zip(total, gradients, strict=True):
            total[name] += gradient * min(1.0, 0.05 / float(norm))
    after = weights(run(experiment, "t", None))
    for name, value in total.items():
        expected = start[name] - value / 100 - 2 * l2 * start[name]
        torch.testing.assert_close(after[name], expected, rtol=1e-3, atol=1e-5)


def test_penalties_act_and_cost_no_epsilon():
    train = {"epochs": 8, "batch_size": 25, "lr": 0.05}

    def private(regularise: dict) -> tuple[dict, dict, float]:
        experiment = small_experiment(source=SOURCE, train=train, privacy=PRIVACY, regularise=regularise)
        start, trained = before(experiment), run(experiment, "t", None)
        return start, weights(trained), trained.accounting.epsilon_prv

    start, plain, epsilon = private({})
    _, near, near_epsilon = private({"l2_sp": 0.3})
    distance = [
        sum(float((state[name] - start[name]).square().sum()) for name in start if name[0] != "9")
        for state in (plain, near)
    ]
    assert distance[1] < 0.25 * distance[0]
    assert near_epsilon == epsilon
    _, sparse, _ = private({"l1": 1e-2})
    size = [sum(float(value.abs().sum()) for value in state.values()) for state in (plain, sparse)]
    assert size[1] < 0.9 * size[0]


def test_noise_has_its_size_and_its_seed():
    train = {"epochs": 1, "batch_size": 100, "lr": 1.0, "momentum": 0.0}
    privacy = {"noise_multiplier": 50.0, "clip_norm": 1e-3, "delta": 1e-3}
    experiment = small_experiment(train=train, privacy=privacy)
    start, after = before(experiment), weights(run(experiment, "t", None))
    moved = torch.cat([(after[name] - start[name]).flatten() for name in start])
    assert float(moved.std()) == pytest.approx(50.0 * 1e-3 / 100, rel=0.1)
    assert same(after, weights(run(small_experiment(train=train, privacy=privacy), "t", None)))


def test_batchnorm_is_folded_with_equal_outputs_or_refused():
    plain = small_experiment(**bn_recipe())
    private = small_experiment(**bn_recipe(privacy=PRIVACY))
    row = plain.audited_row()
    x = plain.inputs[:8]
    expected, got = (predict(each.begin(row).network, x) for each in (plain, private))
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-4)
    trained = run(private, "t", None)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in trained.network.modules())
    with pytest.raises(PrivacyError, match="has BatchNorm, which mixes samples"):
        small_experiment(**bn_recipe(privacy=PRIVACY | {"batchnorm": "refuse"}))


def test_head_only_and_empty_minibatches():
    experiment = small_experiment(
        transfer="features", privacy=PRIVACY, train={"epochs": 1, "batch_size": 1, "lr": 0.05}
    )
    trained = run(experiment, "t", None)
    assert trained.accounting.steps == 100  # at rate 1/100 a third of the minibatches is empty, and noisy all the same
    start, after = before(experiment), weights(trained)
    assert {name for name in start if not torch.equal(start[name], after[name])} == {"9.weight", "9.bias"}


def test_sampling_that_is_not_what_the_accountant_assumes_is_an_error():
    rng = np.random.default_rng(0)
    check_sampling(rng.binomial(1000, 0.05, 200), 1000, 0.05)
    with pytest.raises(PrivacyError, match="not Poisson sampling"):
        check_sampling(np.full(200, 50), 1000, 0.05)
    with pytest.raises(PrivacyError, match="the accounted epsilon would be wrong"):
        check_sampling(rng.binomial(1000, 0.08, 200), 1000, 0.05)


def test_true_poisson_sampling_is_never_refused():
    rng = np.random.default_rng(1)
    for _ in range(2000):
        kept, rate = int(rng.integers(20, 2000)), float(rng.uniform(0.01, 1))
        check_sampling(rng.binomial(kept, rate, int(rng.integers(1, 100))), kept, rate)


def test_shuffled_minibatches_in_a_private_run_are_an_error(monkeypatch):
    def shuffled(pooled, rate, steps, seed, order, epoch):
        members = pooled[np.isin(pooled, np.flatnonzero(experiment.pool.member))]
        yield from np.array_split(np.random.default_rng(epoch).permutation(members), steps)

    experiment = small_experiment(privacy=PRIVACY, train={"epochs": 6, "batch_size": 25, "lr": 0.05})
    monkeypatch.setattr("audit.training.loop.poisson", shuffled)
    with pytest.raises(PrivacyError, match="not Poisson sampling"):
        run(experiment, "t", None)


def test_a_buffer_rewritten_from_private_data_is_an_error():
    layer = nn.BatchNorm1d(3)
    kept = {name: value.clone() for name, value in layer.named_buffers()}
    check_buffers(kept, layer)
    layer(torch.randn(8, 3))
    with pytest.raises(PrivacyError, match="running_mean was rewritten from the private data"):
        check_buffers(kept, layer)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"privacy": {"delta": 1e-5}}, "exactly one of epsilon and noise_multiplier"),
        ({"privacy": PRIVACY | {"epsilon": 1.0}}, "exactly one of epsilon and noise_multiplier"),
        ({"privacy": PRIVACY, "regularise": {"bss": 0.1}}, "does not support BSS: it mixes samples"),
        ({"privacy": PRIVACY, "train": {"clip_norm": 1.0}}, "does not support gradient clipping"),
        ({"privacy": PRIVACY, "transfer": "gradual"}, "does not support phases"),
        ({"privacy": PRIVACY, "transfer": "auto"}, "does not support auto"),
        ({"privacy": PRIVACY, "input": {"normalise": "members"}}, "does not support normalisation on the members"),
    ],
)
def test_recipes_that_are_not_private_are_refused(change, message):
    with pytest.raises(RecipeError, match=message):
        parse(small_recipe(**change), "t")


def test_claim_and_canaries_are_in_the_checkpoint(tmp_path):
    experiment = small_experiment(privacy=PRIVACY, canaries=40, split={"members": 150, "held_out": 50})
    trained = run(experiment, "t", None)
    checkpoint.save(tmp_path / "private.pt", experiment, trained, EXAMPLES)
    loaded = checkpoint.load(tmp_path / "private.pt")
    assert loaded.privacy == trained.accounting.claim
    assert loaded.accounting == trained.accounting
    again = loaded.experiment(experiment.dataset, trust_code=True)
    np.testing.assert_array_equal(again.planted.included, experiment.planted.included)
    np.testing.assert_array_equal(again.audited_row().keep, experiment.audited_row().keep)


def test_canaries_are_separate_samples_and_half_of_them_are_included(experiment):
    pool, planted = plant(experiment.pool, 5, 50, np.random.default_rng(0))
    assert pool.member.sum() == 50
    assert not (pool.member | pool.held_out | pool.validation)[planted.samples].any()
    assert (planted.labels != experiment.dataset.labels[planted.samples]).all()
    assert 15 <= planted.included.sum() <= 35
    row = planted.into(experiment.audited_row(), experiment.dataset.labels)
    np.testing.assert_array_equal(row.targets[planted.samples], planted.labels)
    with pytest.raises(RecipeError, match="60 canaries of 100 members"):
        plant(experiment.pool, 5, 60, np.random.default_rng(0))


def test_canaries_are_found_in_a_model_that_memorises_and_not_in_a_private_one():
    train = {"epochs": 60, "batch_size": 20, "lr": 0.05}
    split = {"members": 150, "held_out": 50}
    options = {"source": {"model": "small_networks:digits_cnn", "options": {"width": 8}}, "train": train}

    def advantage(**changes) -> float:
        experiment = small_experiment(canaries=60, split=split, **options, **changes)
        canaries = experiment.planted.scored(predict(run(experiment, "t", None).network, experiment.inputs))
        positive, negative = canaries.score[canaries.included], canaries.score[~canaries.included]
        return float((positive[:, None] > negative).mean())

    assert advantage() > 0.9
    assert 0.3 < advantage(privacy={"noise_multiplier": 20.0, "delta": 1e-3}) < 0.7
