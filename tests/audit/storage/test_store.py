"""What is in the store is complete and is what it is named after."""

import dataclasses
import errno
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from audit.api.caching import cache
from audit.population.replica_key import key_of
from audit.storage.store import ANSWERS, RECORD, DamagedWarning, Lookups, Replica, Store, writer
from audit.training.experiment import Experiment
from probes.answers import answers
from probes.errors import StoreError


def replica() -> Replica:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(1, 6, 3)).astype(np.float32)
    return Replica(answers=answers(logits, rng.integers(0, 3, 6)), state={"head.weight": torch.ones(3, 2)})


def path_of(store: Store, key: str) -> Path:
    (entry,) = [entry for entry in store.entries() if entry.key == key]
    return entry.path


def test_what_is_put_is_what_is_got(tmp_path: Path) -> None:
    store, original = Store(tmp_path), replica()
    assert store.get("ab12") is None
    store.put("ab12", original)
    again = store.get("ab12")
    assert again is not None
    assert all(np.array_equal(getattr(again.answers, name), getattr(original.answers, name)) for name in ANSWERS)
    assert torch.equal(again.state["head.weight"], original.state["head.weight"])
    assert [entry.key for entry in store.entries()] == ["ab12"]
    assert not list(tmp_path.rglob("*.tmp"))


def test_many_are_put_at_once_or_said_not_to_be(tmp_path: Path) -> None:
    store, keys = Store(tmp_path), [f"{number:02d}ab" for number in range(20)]
    store.put_all([(key, replica()) for key in keys])
    assert [entry.key for entry in store.entries()] == keys
    (tmp_path / "zz").write_text("a file where a folder should be")
    with pytest.raises(StoreError):
        store.put_all([("yyab", replica()), ("zzab", replica())])


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty"])
def test_a_damaged_entry_is_reported_and_gone(tmp_path: Path, damage: str) -> None:
    store = Store(tmp_path)
    store.put("ab12", replica())
    path = path_of(store, "ab12")
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[-3] ^= 1
    path.write_bytes(
        bytes(content if damage == "flip" else content[: len(content) // 2 if damage == "truncate" else 0])
    )
    with pytest.warns(DamagedWarning, match="ab12"):
        assert store.get("ab12") is None
    assert not path.exists()


def test_an_entry_that_cannot_be_read_is_not_taken_for_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    store.put("ab12", replica())

    def too_many(path: Path) -> bytes:
        raise OSError(errno.EMFILE, "Too many open files", str(path))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", too_many)
        with pytest.raises(StoreError, match="Too many open files"):
            store.get("ab12")
    assert store.get("ab12") is not None


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_one_line_and_leaves_nothing_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def full(path: Path, content: bytes) -> int:
        with path.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError(number, "no space")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StoreError, match="the disk is full") as caught:
        Store(tmp_path).put("ab12", replica())
    assert "\n" not in str(caught.value)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_prune_keeps_what_was_used_last_and_removes_other_versions_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    with monkeypatch.context() as older:
        older.setattr("audit.storage.store.writer", lambda: "transfer-audit 0, torch 1")
        store.put("dd4", replica())
    for age, key in enumerate(["aa1", "bb2", "cc3"]):
        store.put(key, replica())
        os.utime(path_of(store, key), (1000 - age, 1000 - age))
    assert store.get("cc3") is not None
    assert [entry.key for entry in store.entries() if entry.writer != writer()] == ["dd4"]
    size = next(iter(store.entries())).size
    assert store.prune(keep_bytes=2 * size) == 2
    assert [entry.key for entry in store.entries()] == ["aa1", "cc3"]


def test_lookups_of_all_runs_are_added_up_and_damaged_lines_are_not(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.lookups() == Lookups()
    store.note(Lookups(asked=10, found=0))
    store.note(Lookups(asked=10, found=10))
    with (tmp_path / RECORD).open("a") as record:
        record.write("4 9\n-1 2\nnine 9\n")
    assert store.lookups() == Lookups(asked=20, found=10)
    assert cache(tmp_path).found == 10


def test_the_key_is_moved_by_everything_a_replica_depends_on(experiment: Experiment) -> None:
    row = experiment.audited_row()

    def key(experiment: Experiment = experiment, **changes: object) -> str:
        settings = {"row": row, "engine": "full", "batch": (row,), "with_state": False} | changes
        return key_of(experiment, **settings)  # type: ignore[arg-type]

    keep = row.keep.copy()
    keep[np.flatnonzero(keep)[0]] = False
    recipe = experiment.recipe
    slower = recipe.model_copy(update={"train": recipe.train.model_copy(update={"lr": 0.04})})
    inputs = experiment.dataset.inputs.copy()
    inputs[0, 0, 0, 0] += 1
    swapped = dataclasses.replace(experiment.pool, validation=np.zeros_like(experiment.pool.validation))
    other = dataclasses.replace(row, keep=keep)
    keys = [
        key(),
        key(row=other),
        key(row=dataclasses.replace(row, order="other")),
        key(row=dataclasses.replace(row, start="scratch")),
        key(row=dataclasses.replace(row, transfer="features")),
        key(row=dataclasses.replace(row, targets=experiment.dataset.labels[::-1].copy())),
        key(engine="tail"),
        key(batch=(row, other)),
        key(with_state=True),
        key(experiment.with_recipe(slower)),
        key(dataclasses.replace(experiment, seed=1)),
        key(dataclasses.replace(experiment, pool=swapped)),
        key(dataclasses.replace(experiment, dataset=dataclasses.replace(experiment.dataset, inputs=inputs))),
        key(dataclasses.replace(experiment, source=dataclasses.replace(experiment.source, state={"a": torch.ones(1)}))),
    ]
    assert len(set(keys)) == len(keys)
    assert key(experiment.with_recipe(recipe.model_copy(update={"name": "renamed"}))) == key()
    assert key(row=dataclasses.replace(row, design="seeds", repeat=3, fold=1)) == key()


def test_a_changed_factory_file_is_another_replica(experiment: Experiment, tmp_path: Path) -> None:
    row = experiment.audited_row()
    code = (experiment.source.folder / "small_networks.py").read_text()
    keys = []
    for text in (code, code + "\n# changed\n"):
        (tmp_path / "small_networks.py").write_text(text)
        moved = dataclasses.replace(experiment, source=dataclasses.replace(experiment.source, folder=tmp_path))
        keys.append(key_of(moved, row, engine="full", batch=(row,), with_state=False))
    assert keys[0] != keys[1]


def test_tied_weights_are_stored_separately(tmp_path):
    shared = torch.arange(6.0)
    Store(tmp_path).write("a" * 64, {"one": shared, "other": shared})
    found = Store(tmp_path).read("a" * 64, again="again")
    assert found is not None
    assert found["one"].tolist() == found["other"].tolist() == shared.tolist()


def test_a_tensor_that_was_read_does_not_change_with_the_file(tmp_path: Path) -> None:
    """A mapped file that another machine replaces ends the process on a network file system."""
    store = Store(tmp_path)
    store.put("ab12", replica())
    again, path = store.get("ab12"), path_of(store, "ab12")
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
    assert again is not None
    assert torch.equal(again.state["head.weight"], torch.ones(3, 2))


@pytest.mark.parametrize(("times", "found"), [(1, True), (2, False)])
def test_an_entry_that_another_machine_replaced_or_removed_is_read_again_or_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int, found: bool
) -> None:
    store, read = Store(tmp_path), Path.read_bytes
    store.put("ab12", replica())
    stale = iter(range(times))

    def stale_at_first(path: Path) -> bytes:
        if next(stale, None) is not None:
            raise OSError(errno.ESTALE, "Stale file handle", str(path))
        return read(path)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", stale_at_first)
        assert (store.get("ab12") is not None) is found
    assert store.get("ab12") is not None


@pytest.mark.parametrize("carried_out", [True, False])
def test_a_rename_whose_answer_was_lost_has_been_carried_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, carried_out: bool
) -> None:
    store, rename = Store(tmp_path), Path.replace
    store.put("ab12", replica())  # an older entry is not taken for the new one
    os.utime(path_of(store, "ab12"), (1000, 1000))

    def lost(path: Path, target: Path) -> None:
        if carried_out:
            rename(path, target)
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path))

    monkeypatch.setattr(Path, "replace", lost)
    monkeypatch.setattr("audit.storage.atomic.SEEN_AFTER", 0.0)
    if carried_out:
        store.put("ab12", replica())
        assert store.get("ab12") is not None
    else:
        with pytest.raises(StoreError, match="cannot be written: No such file"):
            store.put("ab12", replica())


def test_a_store_from_which_nothing_can_be_removed_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    Store(tmp_path).put("ab12", replica())
    monkeypatch.setattr(Path, "unlink", forbidden)
    with pytest.raises(StoreError, match=r"ab12\.safetensors: cannot be removed: Permission denied") as caught:
        cache(tmp_path, keep=0)
    assert "\n" not in str(caught.value)


def test_damaged_entries_are_told_from_those_of_other_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    with monkeypatch.context() as older:
        older.setattr("audit.storage.store.writer", lambda: "transfer-audit 0, torch 1")
        store.write("aa1", {"weight": torch.zeros(4)})
    for key in ("bb2", "cc3"):
        store.write(key, {"weight": torch.zeros(4)})
    (damaged,) = (entry.path for entry in store.entries() if entry.key == "bb2")
    damaged.write_bytes(damaged.read_bytes()[:-8])
    found = cache(tmp_path)
    assert (found.entries, found.other, found.damaged) == (3, 1, 1)
    sizes = {entry.key: entry.size for entry in store.entries()}
    assert store.prune(sizes["cc3"] + sizes["aa1"]) == 1
    assert {entry.key for entry in store.entries()} == {"aa1", "cc3"}
