"""Arrays beyond the bound are files, and nothing else differs."""

import mmap
from pathlib import Path

import numpy as np
import pytest
import torch

from audit.config.recipe import InputSection, parse
from audit.data.arrays import read_arrays
from audit.data.dataset import Dataset
from audit.data.features import float32_of
from audit.training import preprocessing
from audit.training.preprocessing import preprocess, resolve
from probes import answers as answering
from probes import large_arrays
from probes.contamination import Contamination
from probes.errors import DataError
from probes.large_arrays import AT_ONCE, Collected, concatenate, empty, parts, taken
from probes.membership import Membership
from probes.overfitting import Overfitting
from probes.plan import Pool
from tests.audit.conftest import small_recipe
from tests.probes.membership.worlds import World


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def small_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr(large_arrays, "IN_MEMORY", 64)
    monkeypatch.setattr(large_arrays, "FIRST_SLAB", 64)
    monkeypatch.setattr(large_arrays, "SLAB_IN_MEMORY", 64)


def is_file(array: np.ndarray) -> bool:
    base: object = array
    while isinstance(base, np.ndarray):
        base = base.base
    return isinstance(base.obj if isinstance(base, memoryview) else base, mmap.mmap)


@pytest.mark.usefixtures("small_memory")
def test_beyond_the_bound_an_array_is_a_file_without_a_name(tmp_path: Path) -> None:
    small, large = empty((4, 4), np.float32), empty((5, 4), np.float32)
    assert (is_file(small), is_file(large)) == (False, True)
    large[...] = 7
    assert large.sum() == 140
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("small_memory")
def test_without_room_on_the_disk_it_is_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 100})())
    assert not is_file(empty((5, 4), np.float32))


@pytest.mark.usefixtures("small_memory")
def test_collected_arrays_keep_their_values_shapes_and_types(rng: np.random.Generator) -> None:
    given = [rng.normal(size=shape).astype(kind) for shape in ((3, 2), (1,), (9, 9), (0, 4)) for kind in ("f4", "i2")]
    kept = Collected()
    found = [kept.keep(array) for array in given]
    for before, after in zip(given, found, strict=True):
        assert before.dtype == after.dtype
        assert np.array_equal(before, after)
    assert is_file(found[-3])
    assert np.array_equal(concatenate(given[:1] * 9), np.concatenate(given[:1] * 9))


@pytest.mark.usefixtures("small_memory")
def test_what_is_taken_is_a_view_where_it_can_be(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    array, places, mask = rng.normal(size=(5, 30)), np.array([7, 2, 2, 29]), rng.random(30) < 0.5
    consecutive = np.arange(4, 20)
    for numbers in (1 << 20, 4):
        monkeypatch.setattr(large_arrays, "AT_ONCE", numbers)
        for chosen in (places, mask, consecutive, places[:0]):
            assert np.array_equal(taken(array, chosen, axis=-1), array[:, chosen])
            assert np.array_equal(taken(array.T, chosen), array.T[chosen])
        assert np.shares_memory(taken(array, consecutive, axis=-1), array) == (numbers == 4)
        assert is_file(taken(array, places, axis=-1)) == (numbers == 4)


def test_parts_cover_all_samples_and_none_is_small() -> None:
    for samples in (0, 1, 3, AT_ONCE, AT_ONCE + 1):
        slices = list(parts(samples, 3))
        assert np.array_equal(np.concatenate([np.arange(samples)[part] for part in slices]), np.arange(samples))
        widths = [part.stop - part.start for part in slices]
        assert max(widths) - min(widths) <= 1
        assert 3 * max(widths) <= AT_ONCE + 3


@pytest.mark.usefixtures("small_memory")
def test_results_do_not_depend_on_how_many_samples_are_computed_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    evidence = World(leak=1.5, seed=0, members=120, held_out=110, fades=0.3, everything=True).evidence()
    probes = (Membership(repeats=4), Overfitting(repeats=4, capacity=False, linear_probe=False), Contamination())

    def found() -> dict[str, float]:
        results = [probe(evidence, np.random.default_rng(0)) for probe in probes]
        return {
            f"{one.probe}.{estimate.name}": end
            for one in results
            for estimate in one.estimates
            for end in (estimate.value, estimate.low, estimate.high)
        }

    whole = found()
    monkeypatch.setattr(large_arrays, "AT_ONCE", 50)
    assert found() == pytest.approx(whole, rel=1e-9)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("section", [{}, {"size": 24}, {"size": 20, "crop": 16}, {"channels": 3}])
@pytest.mark.usefixtures("small_memory")
def test_images_are_preprocessed_to_the_same_bits_in_chunks(
    channels: int, section: dict[str, int], rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = rng.integers(0, 256, (7, 18, 18, channels), dtype=np.uint8)
    asked = InputSection(mean=(0.3,), std=(0.7,), **section)
    whole = preprocess(images, asked, "image")
    for samples in (3, 1):
        monkeypatch.setattr(preprocessing, "CHUNK", samples * images[0].size)
        parts = preprocess(images, asked, "image")
        assert torch.equal(parts, whole)
        assert parts.stride() == whole.stride()


def test_moments_of_members_do_not_depend_on_the_chunks(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = rng.normal(3, 2, (200, 5)).astype(np.float32)
    values[:, 4] = 1
    labels = np.arange(200) % 2
    member = labels == 0
    data = Dataset(name="table", inputs=values, labels=labels, classes=("a", "b"), modality="table")
    pool = Pool(labels=labels, member=member, held_out=~member, validation=np.zeros(200, dtype=bool))
    recipe = small_recipe(input={"normalise": "members"})
    monkeypatch.setattr(preprocessing, "CHUNK", 17 * 5)
    found = resolve(parse(recipe, "t"), data, pool)
    known = values[member].astype(np.float64)
    np.testing.assert_allclose(found.mean, known.mean(0), rtol=1e-12)
    np.testing.assert_allclose(found.std[:4], known.std(0)[:4], rtol=1e-12)
    assert found.std[4] == 1


def test_answers_do_not_depend_on_how_many_samples_are_computed_at_a_time(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    logits, queries = rng.normal(size=(2, 30, 4)), rng.normal(size=(2, 3, 30, 4))
    labels = rng.integers(0, 4, 30)
    whole = answering.answers(logits, labels, queries)
    monkeypatch.setattr(answering, "NUMBERS", 7 * 8)
    for name, array in vars(answering.answers(logits, labels, queries)).items():
        assert np.array_equal(array, getattr(whole, name)), name


@pytest.mark.usefixtures("small_memory")
@pytest.mark.parametrize("order", ["C", "F"])
def test_an_archive_is_read_into_a_file(order: str, tmp_path: Path, rng: np.random.Generator) -> None:
    given = np.asarray(rng.normal(size=(40, 3)), order=order)
    np.savez(tmp_path / "data.npz", x=given)
    assert np.array_equal(read_arrays(tmp_path / "data.npz")["x"], given)


@pytest.mark.usefixtures("small_memory")
def test_columns_beyond_one_block_become_the_same_numbers(rng: np.random.Generator) -> None:
    values = rng.normal(size=(12, 40))
    values[:, 33] = 1e9 + np.arange(12)
    found, notes = float32_of(values, [f"c{i}" for i in range(40)], "table")
    known = values.copy()
    known[:, 33] -= 1e9
    assert is_file(found)
    assert np.array_equal(found, known.astype(np.float32))
    assert [note.values["column"] for note in notes] == ["c33"]
    values[3, 35] = np.nan
    with pytest.raises(DataError, match="row 3 of c35 is NaN"):
        float32_of(values, [f"c{i}" for i in range(40)], "table")
