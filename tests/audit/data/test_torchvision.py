"""torchvision's data sets from small files in their own layouts."""

import numpy as np
import pytest
from torchvision import datasets

from probes.errors import DataError
from tests.audit.data import layouts
from tests.audit.data.loading import load

TEN = [f"class {i}" for i in range(10)]


@pytest.mark.parametrize("name", ["CIFAR10", "CIFAR100"])
def test_cifar_with_its_checksums(tmp_path, monkeypatch, name):
    images, labels = layouts.pixels(24, 32, 32, 3), np.arange(24) % 10
    {"CIFAR10": layouts.cifar10, "CIFAR100": layouts.cifar100}[name](tmp_path, images, labels, TEN)
    asked = {"kind": "torchvision", "dataset": name, "root": "."}
    with pytest.raises(DataError, match=f"{name} is not complete in .*compares their checksums"):
        load(tmp_path, **asked)
    layouts.accept_cifar(monkeypatch, getattr(datasets, name), tmp_path)
    data = load(tmp_path, **asked)
    np.testing.assert_array_equal(data.inputs, images)
    assert data.labels.tolist() == labels.tolist()
    assert data.classes == tuple(TEN)
    test = load(tmp_path, **asked, parts=["test"])
    np.testing.assert_array_equal(test.inputs, images[20:])


@pytest.mark.parametrize("name", ["MNIST", "FashionMNIST", "KMNIST"])
def test_mnist_and_its_kin(tmp_path, name):
    layouts.mnist(tmp_path, name)
    data = load(tmp_path, kind="torchvision", dataset=name, root=".")
    assert data.inputs.shape == (10, 28, 28, 1)
    assert data.labels.tolist() == [0, 1, 2, 3, 4, 5, 0, 1, 2, 3]
    assert len(data.classes) == 10
    small = load(tmp_path, kind="torchvision", dataset=name, root=".", parts=["test"], size=14)
    assert small.inputs.shape == (4, 14, 14, 1)


def test_a_data_set_with_an_option_of_its_own(tmp_path):
    layouts.emnist_letters(tmp_path)
    asked = {"kind": "torchvision", "dataset": "EMNIST", "root": "."}
    data = load(tmp_path, **asked, options={"split": "letters"})
    assert data.labels.tolist() == [1, 2, 3, 1, 2]
    assert data.classes[:3] == ("N/A", "a", "b")
    with pytest.raises(DataError, match="'loader' is not an option"):
        load(tmp_path, **asked, options={"loader": "os.system"})
    with pytest.raises(DataError, match="refuses its options"):
        load(tmp_path, kind="torchvision", dataset="MNIST", root=".", options={"spilt": "letters"})


def test_files_that_could_run_code_are_not_opened(tmp_path, monkeypatch):
    """LSUN unpickles a cache file of the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "_cache_classroomtrainlmdb").write_bytes(b"cos\nsystem\n(S'touch ran'\ntR.")
    with pytest.raises(DataError, match="LSUN could run code from its files"):
        load(tmp_path, kind="torchvision", dataset="LSUN", root=".")
    assert not (tmp_path / "ran").exists()


def test_svhn(tmp_path, monkeypatch):
    layouts.svhn(tmp_path, monkeypatch)
    data = load(tmp_path, kind="torchvision", dataset="SVHN", root=".")
    assert data.inputs.shape == (7, 32, 32, 3)
    np.testing.assert_array_equal(data.inputs[:4], layouts.pixels(32, 32, 3, 4).transpose(3, 0, 1, 2))
    assert data.labels.tolist() == [0, 1, 2, 3, 0, 1, 2]
    assert data.classes == ("0", "1", "2", "3")


def test_flowers_whose_images_differ_in_size(tmp_path, monkeypatch):
    layouts.flowers102(tmp_path, monkeypatch)
    asked = {"kind": "torchvision", "dataset": "Flowers102", "root": ".", "parts": ["train", "val", "test"]}
    with pytest.raises(DataError, match=r"Set data\.size"):
        load(tmp_path, **asked)
    data = load(tmp_path, **asked, size=16)
    assert data.inputs.shape == (6, 16, 16, 3)
    assert data.labels.tolist() == [0, 1, 0, 1, 0, 101]
    assert len(data.classes) == 102


def test_food(tmp_path):
    layouts.food101(tmp_path)
    data = load(tmp_path, kind="torchvision", dataset="Food101", root=".", size=16)
    assert data.inputs.shape == (4, 16, 16, 3)
    assert data.labels.tolist() == [0, 1, 0, 1]
    assert data.classes == ("apple_pie", "waffles")


def test_a_data_set_without_parts_is_read_once(tmp_path):
    layouts.eurosat(tmp_path)
    data = load(tmp_path, kind="torchvision", dataset="EuroSAT", root=".")
    assert data.inputs.shape == (4, 64, 64, 3)
    assert data.classes == ("Forest", "River")


def test_what_is_not_there(tmp_path):
    with pytest.raises(DataError, match=r"CIFAR10 is not complete in .*download = true"):
        load(tmp_path, kind="torchvision", dataset="CIFAR10", root=".")
    with pytest.raises(DataError, match=r"no data set 'CIFAR11'\. Did you mean 'CIFAR10'"):
        load(tmp_path, kind="torchvision", dataset="CIFAR11", root=".")
    for name in ("SVHN", "MNIST"):
        with pytest.raises(DataError, match="no part 'trian'"):
            load(tmp_path, kind="torchvision", dataset=name, root=".", parts=["trian"])


def test_images_without_classes(tmp_path, monkeypatch):
    class Pairs:
        def __init__(self, root):
            self.targets = [{"box": 1}, {"box": 2}]

        def __len__(self):
            return 2

    monkeypatch.setattr(datasets, "Kitti", Pairs)
    with pytest.raises(DataError, match="Kitti does not have one class per image"):
        load(tmp_path, kind="torchvision", dataset="Kitti", root=".")


def test_nothing_is_downloaded_for_a_checkpoint_from_elsewhere(tmp_path, monkeypatch):
    asked = []

    class Remote:
        def __init__(self, root, train=True, download=False):
            asked.append(download)
            raise RuntimeError("not found")

    monkeypatch.setattr(datasets, "CIFAR10", Remote)
    for trust_code in (False, True):
        with pytest.raises(DataError):
            load(tmp_path, trust_code, kind="torchvision", dataset="CIFAR10", root=".", download=True)
    assert asked == [False, False, True]  # of one that is trusted, what is there is looked for first
