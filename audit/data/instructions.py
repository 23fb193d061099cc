"""Instructions for language models: prompts and answers from JSON, JSONL, Parquet, or a folder that `datasets`
saved."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from audit.data.dataset import Dataset
from audit.data.handed_over import words
from audit.data.section import DataSection
from audit.storage.bounded import MIB, lines_in, read_text, regular
from probes.errors import DataError, DependencyError, did_you_mean, first_line
from probes.json_text import parsed

MOST = 2048 * MIB
"""Largest number of bytes read from a file."""
AT_ONCE = 4096
"""Rows of a Parquet file that are read at a time."""
PROMPTS = ("instruction", "prompt", "question", "query")
CONTEXTS = ("input", "context")
ANSWERS = ("output", "response", "completion", "answer", "answers")
CHATS = ("messages", "conversations", "conversation")
TEXTS = ("text", "content")
PARTS = ("split", "part", "subset")
OWNERS = ("group", "user", "user_id", "author", "document", "source")
ROLES = {"human": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant", "prompter": "user"}
"""Role names of ShareGPT and others."""
MISSING = object()
"""No field at all, in contrast to a field with null."""
SUFFIXES = (".json", ".jsonl", ".ndjson", ".parquet")


@dataclass(frozen=True)
class Turn:
    role: str
    content: str


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One row: the turns before an answer, and the answer. A text without a prompt is only an answer.

    `instruction` and `context` are the two fields of the Alpaca form, where the row has that form. `part` is the split
    that the row says it belongs to, `owner` whose it is (a user, a document), `id` what reports call it: all may be
    empty.
    """

    turns: tuple[Turn, ...]
    answer: str
    instruction: str | None = None
    context: str = ""
    part: str = ""
    owner: str = ""
    id: str = ""
    later: int = field(default=0)
    """Turns after the last answer, which are left out."""


class Instructions(DataSection):
    """One column for each part of a row; omitted names are found among the standard ones (Alpaca: instruction, input,
    output;
    Dolly: instruction, context, response; prompt and completion; messages or conversations; text)."""

    kind: Literal["instructions"] = "instructions"
    path: Path
    """.json (a list of objects), .jsonl, .parquet, or a folder of these or of `datasets.save_to_disk`."""
    prompt: str | None = None
    context: str | None = None
    answer: str | None = None
    messages: str | None = None
    text: str | None = None
    groups: str | None = None
    """A column with the owner of a row: a user or a document. Rows of one owner are never on both sides of a split."""
    ids: str | None = None
    """A column by which reports name rows."""

    def read(self, root: Path, *, trust_code: bool) -> Dataset:
        """The samples in the form in which probes compare them: texts as indices of their words, in one class."""
        rows = self.exchanges(root)
        texts = ["\n".join([*(turn.content for turn in row.turns), row.answer]) for row in rows]
        return Dataset(
            name=self.path.stem,
            inputs=words(texts),
            labels=np.zeros(len(rows), dtype=np.int64),
            classes=("answer",),
            modality="text",
            ids=tuple(row.id for row in rows) if self.ids else (),
        )

    def exchanges(self, root: Path) -> list[Exchange]:
        """All rows in their order; a folder's files or splits are read one after another. Raises DataError."""
        path = root / self.path
        found = [self._named(row, part, number, path) for number, (part, row) in enumerate(rows_in(path))]
        if not found:
            raise DataError("has no rows.", where=str(path), do="Check data.path.")
        return found

    def _named(self, row: Mapping[str, Any], part: str, number: int, path: Path) -> Exchange:
        if self.ids is None:
            return self._exchange(row, part, number, path)
        if self.ids not in row:
            raise DataError(f"has no {self.ids!r}. {did_you_mean(self.ids, row)}", where=f"{path}, row {number}")
        return replace(self._exchange(row, part, number, path), id=_said(row, self.ids))

    def read_rows(self, rows: Sequence[Mapping[str, Any]], where: Path) -> list[Exchange]:
        """Rows in this format that do not come from a file. Raises DataError."""
        return [self._exchange(row, "", number, where) for number, row in enumerate(rows)]

    def row_like(self, row: Mapping[str, Any], prompt: str, answer: str) -> dict[str, Any]:
        """Another prompt and answer in the format of this row; its other fields are empty. A text contains both."""
        empty = {name: None if value is None else type(value)() for name, value in row.items()}
        if (name := self.messages or _one(row, CHATS)) is not None:
            return {**empty, name: _conversation(row[name], prompt, answer)}
        asked, answered = self.prompt or _one(row, PROMPTS), self.answer or _one(row, ANSWERS)
        if answered is None or asked is None:
            name = self.text or _one(row, TEXTS)
            return {**empty, str(name): f"{prompt} {answer}"}
        if isinstance(row.get(asked), list):
            turns = _conversation(row[asked], prompt, answer)
            return {**empty, asked: turns[:1], answered: turns[1:]}
        return {**empty, asked: prompt, answered: answer}

    def _exchange(self, row: Mapping[str, Any], part: str, number: int, path: Path) -> Exchange:
        where = f"{path}, row {number}"
        part = part or _said(row, _one(row, PARTS))
        owner = _said(row, self.groups or _one(row, OWNERS))
        if self.groups and self.groups not in row:
            raise DataError(f"has no {self.groups!r}. {did_you_mean(self.groups, row)}", where=where)
        if (name := self.messages or _one(row, CHATS)) is not None:
            if row.get(name) in (None, []):  # counted as a row without an answer
                return Exchange(turns=(), answer="", part=part, owner=owner)
            turns, later = _turns(row.get(name), where)
            return Exchange(turns=turns[:-1], answer=turns[-1].content, part=part, owner=owner, later=later)
        answer = self.answer or _one(row, ANSWERS)
        prompt = self.prompt or _one(row, PROMPTS)
        if answer is None and (name := self.text or _one(row, TEXTS)) is not None:
            return Exchange(turns=(), answer=_text(row, name, where), part=part, owner=owner)
        if answer is None or prompt is None:
            raise DataError(
                f"has the fields {', '.join(map(str, list(row)[:8]))}: none is known to hold the "
                f"{'answer' if answer is None else 'prompt'}.",
                where=where,
                do="Rename them to instruction, input and output, to prompt and completion, to messages, or to text.",
            )
        return self._pair(row, prompt, answer, part, owner, where)

    def _pair(self, row: Mapping[str, Any], prompt: str, answer: str, part: str, owner: str, where: str) -> Exchange:
        if isinstance(row.get(prompt), list):  # TRL's conversational prompt and completion
            turns, _ = _turns([*row[prompt], *_listed(row.get(answer), where)], where)
            return Exchange(turns=turns[:-1], answer=turns[-1].content, part=part, owner=owner)
        asked = _text(row, prompt, where)
        context_name = self.context or (_one(row, CONTEXTS) if prompt == "instruction" else None)
        context = "" if context_name is None else _text(row, context_name, where)
        return Exchange(
            turns=(Turn("user", f"{asked}\n\n{context}" if context else asked),),
            answer=_text(row, answer, where),
            instruction=asked if prompt == "instruction" else None,
            context=context,
            part=part,
            owner=owner,
        )


def rows_in(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(the split's name or nothing, the row) from a file, a folder of files, or a saved `datasets` folder.

    Raises DataError, DependencyError.
    """
    if path.is_dir():
        if any((path / name).exists() for name in ("dataset_info.json", "dataset_dict.json", "state.json")):
            yield from _saved(path)
            return
        files = sorted(one for one in path.iterdir() if one.suffix in SUFFIXES)
        if not files:
            raise DataError(f"holds no {', '.join(SUFFIXES)}.", where=str(path), do="Check data.path.")
        for one in files:
            for _, row in rows_in(one):
                yield one.stem.partition("-")[0], row
        return
    regular(path, DataError, do="Check data.path.")
    if path.suffix == ".parquet":
        yield from (("", row) for row in _parquet(path))
    elif path.suffix in (".jsonl", ".ndjson"):
        yield from _lines(path)
    elif path.suffix == ".json":
        yield from _json(path)
    else:
        raise DataError(f"is a {path.suffix or 'file without a suffix'}.", where=str(path), do="Give .json or .jsonl.")


def _lines(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    filled = ((number, line) for number, line in enumerate(lines_in(path, MOST, DataError), start=1) if line.strip())
    for number, line in filled:
        if line.lstrip().startswith("["):
            yield from _lists(path, _parsed(read_text(path, MOST, DataError), str(path)))
            return
        yield "", _object(_parsed(line, f"{path}, line {number}"), f"{path}, line {number}")


def _json(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """One JSON value, or an object per line in spite of the file's name."""
    text = read_text(path, MOST, DataError)
    first, _, rest = text.strip().partition("\n")
    if rest and first.startswith("{") and first.rstrip().endswith("}"):
        yield from _lines(path)
        return
    yield from _lists(path, _parsed(text, str(path)))


def _lists(path: Path, content: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """A list of objects; a list under a key; or several such lists, which are splits."""
    lists = {"": content} if isinstance(content, list) else {}
    if isinstance(content, Mapping):
        lists = {str(name): rows for name, rows in content.items() if isinstance(rows, list)}
        if len(lists) == 1:
            lists = {"": next(iter(lists.values()))}
    if not lists:
        raise DataError(
            "does not hold a list of objects.", where=str(path), do='Write [{"prompt": …, "completion": …}, …].'
        )
    for part, rows in lists.items():
        for number, row in enumerate(rows):
            yield part, _object(row, f"{path}, row {number}")


def _parsed(text: str, where: str) -> Any:
    try:
        return parsed(text)
    except ValueError as error:
        raise DataError(f"is not JSON: {error}", where=where) from None


def _object(row: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(row, Mapping):
        raise DataError(f"is a {type(row).__name__}, not an object with fields.", where=where)
    return row


def _parquet(path: Path) -> Iterator[Mapping[str, Any]]:
    """So many rows at a time as are read into memory."""
    try:
        import pyarrow.parquet as parquet
    except ImportError:
        raise DependencyError(
            "pyarrow is not installed.", where=str(path), do="pip install 'transfer-audit[parquet]'"
        ) from None
    from audit.data.column_file import check_expansion  # pandas takes a second to import

    try:
        check_expansion(path, regular(path, DataError))
        with parquet.ParquetFile(path, memory_map=True) as file:
            for batch in file.iter_batches(AT_ONCE):
                yield from batch.to_pylist()
    except DataError:
        raise
    except Exception as error:  # pyarrow raises many unrelated exception types on damaged files
        raise DataError(f"cannot be read: {first_line(error)}", where=str(path)) from None


def _saved(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        import datasets
    except ImportError:
        raise DependencyError("datasets is not installed.", where=str(path), do="pip install datasets") from None
    try:
        whole = datasets.load_from_disk(str(path))
    except Exception as error:  # datasets raises many unrelated exception types on damaged folders
        raise DataError(f"cannot be read: {first_line(error)}", where=str(path)) from None
    parts = whole.items() if isinstance(whole, Mapping) else [("", whole)]
    for part, rows in parts:
        for row in rows:
            yield str(part), row


def _turns(given: Any, where: str) -> tuple[tuple[Turn, ...], int]:
    """The turns up to the assistant's last one, and how many follow it."""
    turns = tuple(_turn(one, where) for one in _listed(given, where))
    answers = [number for number, turn in enumerate(turns) if turn.role == "assistant"]
    if not answers:
        raise DataError("no turn is the assistant's.", where=where, do="Remove the row, or check its roles.")
    return turns[: answers[-1] + 1], len(turns) - 1 - answers[-1]


def _conversation(like: Any, prompt: str, answer: str) -> Any:
    """A question and an answer, with the field names of the given conversation."""
    turns = _listed(like, "")
    sharegpt = "from" in turns[0]
    roles, content = (("human", "gpt"), "value") if sharegpt else (("user", "assistant"), "content")
    pair = [
        {"from" if sharegpt else "role": role, content: text}
        for role, text in zip(roles, (prompt, answer), strict=True)
    ]
    return json.dumps(pair) if isinstance(like, str) else pair


def _turn(given: Any, where: str) -> Turn:
    if not isinstance(given, Mapping):
        raise DataError(
            f"a turn is a {type(given).__name__}, not an object.", where=where, do="Write role and content in each."
        )
    role, content = given.get("role", given.get("from")), given.get("content", given.get("value", MISSING))
    if isinstance(content, list) and all(isinstance(one, Mapping) and one.get("type") == "text" for one in content):
        content = "".join(str(one.get("text", "")) for one in content)
    if content is None:  # a turn that only calls tools
        content = ""
    if not isinstance(role, str) or not isinstance(content, str):
        raise DataError(
            "a turn has no role, or no text as its content.", where=where, do="Write role and content, both texts."
        )
    return Turn(ROLES.get(role.lower(), role.lower()), content)


def _listed(given: Any, where: str) -> list[Any]:
    if isinstance(given, str):
        given = _parsed(given, where) if given.lstrip().startswith("[") else [{"role": "assistant", "content": given}]
    if not isinstance(given, list) or not given:
        raise DataError(
            "its conversation is not a list of turns.",
            where=where,
            do='Write [{"role": "user", "content": …}, {"role": "assistant", "content": …}].',
        )
    return given


def _one(row: Mapping[str, Any], names: Sequence[str]) -> str | None:
    return next((name for name in names if name in row), None)


def _said(row: Mapping[str, Any], name: str | None) -> str:
    value = None if name is None else row.get(name)
    return "" if value is None else str(value)


def _text(row: Mapping[str, Any], name: str, where: str) -> str:
    """The text of a field, or empty if the row has none."""
    if name not in row:
        raise DataError(f"has no {name!r}. {did_you_mean(name, row)}", where=where)
    value = row[name]
    if value is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise DataError(f"{name} is a {type(value).__name__}, not a text.", where=where)
    return value
