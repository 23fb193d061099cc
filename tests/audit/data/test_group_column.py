"""Which samples belong together: columns of names, missing names, and names of files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from audit.data.file_groups import grouped, groups_in
from audit.data.folder import Folder
from audit.data.group_column import groups_of
from audit.data.handed_over import handed
from audit.data.npz import Npz
from audit.data.split import SplitSection, split
from audit.data.table import Table
from audit.data.text import Text
from probes.errors import DataError

ROWS = "age,who,home,y\n30,p1,h1,no\n40,,h1,yes\n50,p1,h2,no\n51,,,yes\n52,p2,h3,no\n53,nan,,yes\n"


def notes(data: object) -> list[str]:
    return [note.code for note in data.notes]  # type: ignore[attr-defined]


def test_samples_without_a_name_are_groups_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(ROWS)
    data = Table(path=Path("t.csv"), target="y", groups="who", drop=("home",)).load(tmp_path)
    assert data.groups is not None
    assert data.groups.tolist() == [0, 2, 0, 3, 1, 4]
    assert data.group_names == ("p1", "p2", "(none)", "(none)", "(none)")
    assert "audit.data-no-group" in notes(data)


def test_samples_that_agree_in_one_of_several_columns_belong_together(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(ROWS)
    data = Table(path=Path("t.csv"), target="y", groups=("who", "home")).load(tmp_path)
    assert data.groups is not None
    # p1 links both homes, h1 the sample without a patient; the last ones have neither.
    assert data.groups.tolist() == [0, 0, 0, 2, 1, 3]
    assert data.feature_names == ("age",)


def test_texts_and_archives_have_groups_of_samples_without_a_name_too(tmp_path: Path) -> None:
    lines = [f'{{"text": "a {k}", "label": "{k % 2}", "who": {who}}}' for k, who in enumerate(['"p"', "null"] * 2)]
    (tmp_path / "t.jsonl").write_text("\n".join(lines))
    data = Text(path=Path("t.jsonl"), groups="who").load(tmp_path)
    assert data.groups is not None
    assert data.groups.tolist() == [0, 1, 0, 2]
    who = np.array([7.0, np.nan, 7.0, np.nan])
    np.savez(tmp_path / "a.npz", images=np.zeros((4, 2), np.float32), labels=np.array([0, 1, 0, 1]), who=who)
    data = Npz(path=Path("a.npz"), groups="who", modality="table").load(tmp_path)
    assert data.groups is not None
    assert data.groups.tolist() == [0, 1, 0, 2]


def test_names_that_are_written_differently_are_one_group(tmp_path: Path) -> None:
    """Whichever way the data is given; the note says that names were taken as one."""
    who = ("P1", "p1 ", "007", "7", "7.0", "A01", "A1", "1.10", "1.1")
    expected = np.array([0, 0, 1, 1, 1, 2, 3, 4, 5])
    (tmp_path / "t.csv").write_text("x,who,y\n" + "".join(f"{k}.5,{one},{k % 2}\n" for k, one in enumerate(who)))
    table = Table(path=Path("t.csv"), target="y", groups="who").load(tmp_path)
    given = handed({"features": table.inputs, "labels": table.labels, "groups": list(who), "members": range(4)})
    for data in (table, given.dataset):
        assert data.groups is not None
        assert (np.equal.outer(data.groups, data.groups) == np.equal.outer(expected, expected)).all()
        (note,) = [one for one in data.notes if one.code == "audit.data-groups-alike"]
        assert note.values["count"] == 3
    assert "P1" in table.group_names


def test_the_split_keeps_names_that_are_written_differently_together(tmp_path: Path) -> None:
    patient = np.arange(400) // 4
    rows = "".join(f"{k}.5,{'Pp'[k % 2]}{who},{k // 2 % 2}\n" for k, who in enumerate(patient))
    (tmp_path / "t.csv").write_text("x,who,y\n" + rows)
    data = Table(path=Path("t.csv"), target="y", groups="who").load(tmp_path)
    pool = split(data, SplitSection(members=200, held_out=150), np.random.default_rng(0))
    assert pool.member.sum() > 150
    assert not set(patient[pool.member]) & set(patient[pool.held_out])


def test_links_through_many_samples_are_followed() -> None:
    first = [f"a{k // 2}" for k in range(100)]
    second = [f"b{(k + 1) // 2}" for k in range(100)]
    numbers, names, _ = groups_of([first, second])
    assert set(numbers.tolist()) == {0}
    assert names == ("a0",)


def images(folder: Path, names: list[str]) -> Path:
    for k, name in enumerate(names):
        (folder / "pictures" / "ab"[k % 2]).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (k, 0, 0)).save(folder / "pictures" / "ab"[k % 2] / f"{name}.png")
    return folder


def test_groups_of_images_are_found_in_their_names(tmp_path: Path) -> None:
    images(tmp_path, [f"p{k // 4:03}_{k}" for k in range(8)])
    data = Folder(path=Path("pictures"), groups=r"^p\d+").load(tmp_path)
    assert data.groups is not None
    assert [data.group_names[number] for number in data.groups] == ["p000", "p000", "p001", "p001"] * 2
    with pytest.raises(DataError, match="matches no file name, such as 'p000_0'"):
        Folder(path=Path("pictures"), groups=r"q\d+").load(tmp_path)
    with pytest.raises(DataError, match="not a regular expression"):
        Folder(path=Path("pictures"), groups="(").load(tmp_path)


def test_names_that_look_grouped_are_mentioned(tmp_path: Path) -> None:
    images(tmp_path, [f"p{k // 4:03}_{k}" for k in range(80)])
    assert "audit.data-names-grouped" in notes(Folder(path=Path("pictures")).load(tmp_path))


@pytest.mark.parametrize(
    "names",
    [
        [f"img_{k:04}" for k in range(100)],
        [f"n{1440764 + k % 2}_{k}" for k in range(100)],
        [f"{k:05}" for k in range(100)],
        [f"IMG_2024_{k}" for k in range(100)],
        [f"cat_s_{k:06}" for k in range(100)],
    ],
)
def test_names_by_number_or_by_class_are_not_mentioned(names: list[str]) -> None:
    labels = np.arange(len(names)) % 2
    assert grouped(names, labels) is None
    assert groups_in(names, labels, None) == (None, (), ())
