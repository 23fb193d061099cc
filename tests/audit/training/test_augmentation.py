import pytest
import torch
from torchvision.transforms import v2

from audit.config.recipe import InputSection, Transform
from audit.training.augmentation import augmentation
from audit.training.prepare import run
from probes.errors import RecipeError
from tests.audit.compared import same
from tests.audit.conftest import small_experiment
from tests.audit.trained import weights

SECTION = InputSection(mean=(0.5,), std=(0.25,))


def test_samples_are_drawn_one_by_one():
    torch.manual_seed(0)
    ramp = torch.arange(8.0).expand(64, 1, 8, 8)
    flipped = augmentation([Transform(name="RandomHorizontalFlip")], SECTION)(ramp)
    turned = (flipped[:, 0, 0, 0] == 7).sum()
    assert 16 < int(turned) < 48


def test_a_border_is_black_before_normalisation():
    images = torch.zeros(4, 1, 8, 8)
    padded = augmentation([Transform(name="Pad", padding=2), Transform(name="Resize", size=8)], SECTION)(images)
    assert float(padded.min()) == pytest.approx(-0.5 / 0.25)


def test_it_is_torchvisions():
    images = torch.rand(3, 3, 8, 8)
    crop = Transform(name="RandomCrop", size=8, padding=2)
    torch.manual_seed(1)
    ours = augmentation([crop], InputSection(mean=(0.0,), std=(1.0,)))(images)
    torch.manual_seed(1)
    theirs = torch.stack([v2.RandomCrop(8, padding=2)(image) for image in images])
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        (Transform(name="RandomHorizontalFlop"), r"no 'RandomHorizontalFlop'\. Did you mean 'RandomHorizontalFlip'"),
        (Transform(name="RandomCrop", sise=8), "refuses its options"),
        (Transform(name="functional"), "has no 'functional'"),
    ],
)
def test_mistakes(transform, message):
    with pytest.raises(RecipeError, match=message):
        augmentation([transform], SECTION)


def test_another_shape_is_refused():
    with pytest.raises(RecipeError, match="Crop back"):
        augmentation([Transform(name="RandomCrop", size=4)], SECTION)(torch.zeros(2, 1, 8, 8))


def test_a_transform_that_fails_on_images_is_named():
    with pytest.raises(RecipeError, match="augment: Transform cannot be applied: NotImplementedError"):
        augmentation([Transform(name="Transform")], SECTION)(torch.zeros(2, 1, 8, 8))


def test_training_with_it_repeats_itself_and_differs_from_training_without():
    recipe = {"augment": [{"name": "RandomCrop", "size": 8, "padding": 1}]}
    one, two = (weights(run(small_experiment(**recipe), "t", None)) for _ in range(2))
    assert same(one, two)
    assert not same(one, weights(run(small_experiment(), "t", None)))
