"""Instructions as people have them: Alpaca, Dolly, chat, prompt and completion, texts; what is none is one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from audit.data import instructions
from audit.data.instructions import Exchange, Instructions, Turn
from audit.data.text import table_of
from probes.errors import DataError

CHAT = [{"role": "user", "content": "Hello?"}, {"role": "assistant", "content": "Hello."}]


def read(folder: Path, rows: Any, name: str = "data.json", **section: Any) -> list[Exchange]:
    text = json.dumps(rows) if name.endswith(".json") else "\n".join(map(json.dumps, rows))
    (folder / name).write_text(text, encoding="utf-8")
    return Instructions(path=Path(name), **section).exchanges(folder)


@pytest.mark.parametrize(
    ("row", "prompt", "answer"),
    [
        ({"instruction": "Add.", "input": "1 2", "output": "3"}, "Add.\n\n1 2", "3"),
        ({"instruction": "Say hello.", "input": "", "output": "hello"}, "Say hello.", "hello"),
        ({"instruction": "Add.", "context": "1 2", "response": "3", "category": "sums"}, "Add.\n\n1 2", "3"),
        ({"prompt": "Add 1 2: ", "completion": "3"}, "Add 1 2: ", "3"),
        ({"question": "1 + 2?", "answer": "3"}, "1 + 2?", "3"),
        ({"messages": CHAT}, "Hello?", "Hello."),
        ({"conversations": [{"from": "human", "value": "Hello?"}, {"from": "gpt", "value": "Hi."}]}, "Hello?", "Hi."),
        ({"prompt": CHAT[:1], "completion": CHAT[1:]}, "Hello?", "Hello."),
    ],
)
def test_the_usual_fields_are_understood(tmp_path: Path, row: dict[str, Any], prompt: str, answer: str) -> None:
    (found,) = read(tmp_path, [row])
    assert ([turn.content for turn in found.turns], found.answer) == ([prompt], answer)


def test_a_plain_text_is_an_answer_without_a_prompt(tmp_path: Path) -> None:
    (found,) = read(tmp_path, [{"text": "Once upon a time."}], "data.jsonl")
    assert found == Exchange(turns=(), answer="Once upon a time.")


def test_other_fields_are_named_by_the_section(tmp_path: Path) -> None:
    (found,) = read(tmp_path, [{"frage": "1 + 2?", "antwort": "3"}], prompt="frage", answer="antwort")
    assert found == Exchange(turns=(Turn("user", "1 + 2?"),), answer="3")


def test_of_a_conversation_the_last_answer_is_the_answer(tmp_path: Path) -> None:
    (found,) = read(tmp_path, [{"messages": [*CHAT, {"role": "user", "content": "And?"}, CHAT[1], CHAT[0]]}])
    assert [turn.role for turn in found.turns] == ["user", "assistant", "user"]
    assert (found.answer, found.later) == ("Hello.", 1)


def test_parts_are_keys_of_a_json_file_files_of_a_folder_or_a_column(tmp_path: Path) -> None:
    row = {"prompt": "a", "completion": "b", "user": "u1"}
    assert [one.part for one in read(tmp_path, {"train": [row], "test": [row]})] == ["train", "test"]
    (one,) = read(tmp_path, [{**row, "split": "validation"}])
    assert (one.part, one.owner) == ("validation", "u1")
    folder = tmp_path / "parts"
    folder.mkdir()
    for name in ("train-00000-of-00001.jsonl", "test.jsonl"):
        (folder / name).write_text(json.dumps(row), encoding="utf-8")
    assert [one.part for one in Instructions(path=folder).exchanges(tmp_path)] == ["test", "train"]


def test_parquet_and_saved_data_sets_are_read(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    rows = datasets.Dataset.from_list([{"prompt": "a", "completion": "b"}, {"prompt": "c", "completion": "d"}])
    rows.to_parquet(str(tmp_path / "data.parquet"))
    rows.save_to_disk(str(tmp_path / "saved"))
    for path in (Path("data.parquet"), Path("saved")):
        assert [one.answer for one in Instructions(path=path).exchanges(tmp_path)] == ["b", "d"]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "has no rows"),
        (3, "does not hold a list of objects"),
        (["a"], "row 0: is a str, not an object"),
        ([{"prompt": "a"}], "none is known to hold the answer"),
        ([{"title": "a", "output": "b"}], "none is known to hold the prompt"),
        ([{"prompt": "a", "completion": {"b": 3}}], "completion is a dict, not a text"),
        ([{"messages": {"role": "user"}}], "its conversation is not a list of turns"),
        ([{"messages": CHAT[:1]}], "no turn is the assistant's"),
        ([{"messages": [{"role": "user"}]}], "a turn has no role"),
    ],
)
def test_an_invalid_instruction_is_refused_in_one_line(tmp_path: Path, rows: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read(tmp_path, rows)


def test_damaged_files_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "data.jsonl").write_text('{"text": "a"}\n{"text"', encoding="utf-8")
    with pytest.raises(DataError, match=r"line 2: is not JSON"):
        Instructions(path=Path("data.jsonl")).exchanges(tmp_path)
    (tmp_path / "data.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="cannot be read"):
        Instructions(path=Path("data.parquet")).exchanges(tmp_path)
    with pytest.raises(DataError, match="no such file"):
        Instructions(path=Path("missing.json")).exchanges(tmp_path)


def test_lines_end_at_line_feeds_alone(tmp_path: Path) -> None:
    rows = [{"text": "one\u2028row"}, {"text": "another"}]
    lines = "\r\n\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (tmp_path / "data.jsonl").write_bytes(("\ufeff" + lines).encode())
    found = Instructions(path=Path("data.jsonl")).exchanges(tmp_path)
    assert [one.answer for one in found] == ["one\u2028row", "another"]
    frame = table_of(tmp_path / "data.jsonl", None, ["text"]).frame
    assert list(frame["text"]) == ["one\u2028row", "another"]
    (tmp_path / "data.jsonl").write_bytes(b'{"text": "a"}\n{"text": "\xff"}')
    with pytest.raises(DataError, match="is not UTF-8 text: byte 24"):
        Instructions(path=Path("data.jsonl")).exchanges(tmp_path)


def test_parquet_of_many_batches_is_read_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(instructions, "AT_ONCE", 7)
    answers = [str(number) for number in range(50)]
    parquet.write_table(pa.table({"text": answers}), tmp_path / "data.parquet", row_group_size=20)
    assert [one.answer for one in Instructions(path=Path("data.parquet")).exchanges(tmp_path)] == answers


def test_as_a_data_set_texts_are_numbers_of_their_words(tmp_path: Path) -> None:
    read(tmp_path, [{"prompt": "a b", "completion": "a"}, {"prompt": "c", "completion": "a"}])
    found = Instructions(path=Path("data.json")).load(tmp_path)
    assert found.inputs.tolist() == [[1, 2, 1], [3, 1, 0]]


def chat(*turns: tuple[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": content} for role, content in turns]}


def test_json_lines_and_json_lists_are_distinguished_by_content(tmp_path: Path) -> None:
    rows = [{"prompt": "a\u2028b", "completion": "c\x85d"}, {"prompt": "e", "completion": "f"}]
    lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    for name, text in (
        ("a.jsonl", lines),
        ("b.json", lines),
        ("c.jsonl", json.dumps(rows)),
        ("d.jsonl", "\ufeff" + lines),
    ):
        (tmp_path / name).write_text(text, encoding="utf-8")
        found = Instructions(path=tmp_path / name).exchanges(Path())
        assert [one.answer for one in found] == ["c\x85d", "f"], name


def test_what_chats_hold_besides_text_is_read(tmp_path: Path) -> None:
    parts = [{"type": "text", "text": "1 + "}, {"type": "text", "text": "1"}]
    rows = [
        chat(("User", parts), ("Assistant", "2")),
        chat(("user", "hi"), ("assistant", None), ("tool", "42"), ("assistant", "it is 42")),
        {"messages": None},
        {"messages": []},
    ]
    found = Instructions(path=Path("x")).read_rows(rows, Path("x"))
    assert [one.answer for one in found] == ["2", "it is 42", "", ""]
    assert found[0].turns[0].content == "1 + 1"
    assert [turn.role for turn in found[1].turns] == ["user", "assistant", "tool"]


def test_numbers_are_texts(tmp_path: Path) -> None:
    (found,) = Instructions(path=Path("x")).read_rows([{"instruction": "2 + 2", "input": None, "output": 4}], Path("x"))
    assert found.answer == "4"
