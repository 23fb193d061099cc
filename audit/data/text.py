"""Texts from a table or a `datasets` folder, read with the model's own tokenizer."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from jaxtyping import Int32
from pydantic import Field

from audit.data.column_file import Series
from audit.data.dataset import Dataset
from audit.data.fingerprints import JOINT
from audit.data.group_column import groups_of, named
from audit.data.handed_over import numbered, words
from audit.data.parts import role_of
from audit.data.section import DataSection
from audit.data.tokenizer import Tokenizer
from audit.data.tokens import names_of, stored_tokens
from audit.storage.bounded import MIB, is_folder, lines_in, read_text
from probes.errors import DataError, DependencyError, did_you_mean, first_line
from probes.json_text import parsed
from probes.message import Message

if TYPE_CHECKING:
    import pandas as pd

    from audit.data.column_file import Frame

USUAL_LENGTH, UNLIMITED = 512, 100_000
"""A tokenizer without a maximum length reports an absurdly large number."""
MOST = 4096 * MIB
"""Largest number of bytes read from a file of JSON."""
AT_ONCE = 4096
"""Texts that are tokenised at a time: a tokenizer's lists take ten times what their numbers do."""


class Text(DataSection):
    kind: Literal["text"] = "text"
    path: Path
    """.csv, .tsv, .jsonl, .json, .parquet, .arrow or .feather with one row per sample, or a folder that
    `datasets.save_to_disk` wrote."""
    text: str | tuple[str, str] = "text"
    """The column of the text, or the columns of two texts."""
    label: str = "label"
    tokenizer: Path | None = None
    """The folder of the model's tokenizer. Without one, words are numbered in the order of their first use."""
    max_length: int | None = Field(default=None, ge=1)
    """Tokens per sample; default: the maximum that the tokenizer states."""
    names: tuple[str, ...] | None = None
    """The classes in the order of the model's outputs, if it is not alphabetical."""
    columns: tuple[str, ...] | None = None
    """Names of the columns of a file without a header."""
    groups: str | tuple[str, ...] | None = None
    """A column that says which samples belong together, or several: samples that agree in one of them do."""
    ids: str | None = None
    """A column by which reports name samples."""

    def read(self, root: Path, *, trust_code: bool) -> Dataset:
        texts_in, by = named(self.text), named(self.groups)
        as_text = (*texts_in, self.label, *by, *filter(None, (self.ids,)))
        from audit.data.label_column import labels_in  # pandas takes a second to import

        table = table_of(root / self.path, self.columns, as_text)
        where = str(root / self.path)
        for name in as_text:
            if name not in table.frame.columns:
                raise DataError(f"has no column {name!r}. {did_you_mean(name, table.known)}", where=where)
        texts = [_strings(table.frame[name], name, where) for name in texts_in]
        tokens, names, notes = self._tokens(texts, root)
        labels = labels_in(table.frame[self.label], self.names or table.names.get(self.label), where)
        groups, group_names, said = groups_of([table.frame[name] for name in by]) if by else (None, (), ())
        return Dataset(
            name=Path(self.path).stem,
            inputs=tokens,
            labels=labels.numbers,
            classes=labels.classes,
            modality="text",
            groups=groups,
            group_names=group_names,
            ids=() if self.ids is None else tuple(table.frame[self.ids].astype("string").fillna("")),
            texts=tuple(JOINT.join(parts) for parts in zip(*texts, strict=True)),
            token_names=names,
            roles=table.roles,
            notes=(*notes, *said, *labels.notes),
        )

    def _tokens(self, texts: list[list[str]], root: Path) -> tuple[np.ndarray, dict[int, str], tuple[Message, ...]]:
        if self.tokenizer is None:
            joined = [" ".join(parts) for parts in zip(*texts, strict=True)]
            return words(joined), {number: f" {word}" for word, number in numbered(joined).items()}, ()
        read = tokenizer_in(root / self.tokenizer)
        length = self.max_length or min(read.model_max_length, USUAL_LENGTH)
        if length > UNLIMITED:
            length = USUAL_LENGTH
        ids: list[Int32[np.ndarray, " tokens"]] = []
        types: list[Int32[np.ndarray, " tokens"]] = []
        longer = 0
        for start in range(0, len(texts[0]), AT_ONCE):
            some = [part[start : start + AT_ONCE] for part in texts]
            whole = read(*some, truncation=False, padding=False, verbose=False)["input_ids"]
            cut = read(*some, truncation=True, max_length=length, padding=False)
            longer += sum(len(one) > len(other) for one, other in zip(whole, cut["input_ids"], strict=True))
            ids += [np.asarray(one, dtype=np.int32) for one in cut["input_ids"]]
            types += [np.asarray(one, dtype=np.int32) for one in cut.get("token_type_ids", ())]
        notes = (Message("audit.data-truncated", {"count": longer, "length": length}),) if longer else ()
        tokens = stored_tokens(ids, types or None)
        return tokens, names_of(tokens, read), notes


def tokenizer_in(folder: Path) -> Tokenizer:
    """A folder's tokenizer; nothing is downloaded and no code in the folder runs. Raises DataError, DependencyError."""
    try:
        import transformers
    except ImportError:
        raise DependencyError(
            "a tokenizer needs transformers.", where="data.tokenizer", do="pip install 'transfer-audit[huggingface]'"
        ) from None
    if not is_folder(folder):
        raise DataError("no such folder.", where=str(folder), do="Check data.tokenizer in the recipe.")
    try:
        found = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        return cast("Tokenizer", found)
    except (
        Exception
    ) as error:  # transformers and tokenizers raise many unrelated exception types on damaged or hostile files
        said = first_line(error)
        raise DataError(
            f"transformers cannot open its tokenizer: {said[:200].rstrip('.')}.",
            where=os.path.normpath(folder),
            do="Copy the whole folder, with tokenizer.json, tokenizer_config.json and config.json as they were saved.",
        ) from None


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """`frame` has the columns that are used, `known` the names of all; `names` are the classes of a column if the file
    states them; `roles` say which part of the split a row is in."""

    frame: Frame
    known: Sequence[str]
    names: Mapping[str, Sequence[str]]
    roles: np.ndarray | None = None


def table_of(path: Path, columns: Sequence[str] | None, used: Sequence[str]) -> Table:
    """The rows, as columns, of which those `used` are in memory at most. Raises DataError, DependencyError."""
    from audit.data.dataframe import columns_of

    if is_folder(path):
        return _of_datasets(path)
    if path.suffix in (".jsonl", ".json", ".ndjson"):
        return _of_json(path, used)
    frame = columns_of(path, columns, used)
    return Table(frame=frame, known=[str(name) for name in frame.columns], names={})


def _of_json(path: Path, used: Sequence[str]) -> Table:
    import pandas as pd

    held: dict[str, list[Any]] = {name: [] for name in used}
    known: dict[str, None] = {}
    rows = 0
    try:
        for row in _json_rows(path):
            rows += 1
            if not isinstance(row, dict):
                raise ValueError("a row is not an object")
            known |= dict.fromkeys(row)
            for name, cells in held.items():
                cells.append(row.get(name))
        frame = pd.DataFrame({name: cells for name, cells in held.items() if name in known})
    except (ValueError, TypeError) as error:
        raise DataError(f"is neither JSON lines nor a list of objects: {error}", where=str(path)) from None
    if not rows:
        raise DataError("has no rows.", where=str(path))
    return Table(frame=frame, known=list(known), names={})


def _json_rows(path: Path) -> Iterator[Any]:
    """The values of lines, one at a time, or of a list."""
    for line in lines_in(path, MOST, DataError):
        if line.lstrip().startswith("["):
            yield from parsed(read_text(path, MOST, DataError))
            return
        if line.strip():
            yield parsed(line)


class _Saved:
    """A folder that `datasets` saved, whose columns are read when they are asked for: its files are mapped."""

    def __init__(self, parts: Sequence[Any]) -> None:
        self.parts = parts
        self.attrs: dict[Any, Any] = {}
        self.columns = list(parts[0].column_names)

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def __getitem__(self, name: str) -> Series:
        import pandas as pd

        found: Series = pd.concat(
            [part.select_columns([name]).to_pandas()[name] for part in self.parts], ignore_index=True
        )
        return found

    def head(self, n: int = 5) -> pd.DataFrame:
        import pandas as pd

        return pd.DataFrame({name: self[name].head(n) for name in self.columns})


def _of_datasets(path: Path) -> Table:
    try:
        import datasets
    except ImportError:
        raise DependencyError("datasets is not installed.", where="data", do="pip install datasets") from None
    try:
        whole = datasets.load_from_disk(str(path))
    except Exception as error:  # datasets raises many unrelated types on damaged folders
        said = first_line(error)
        raise DataError(f"is not a folder of `save_to_disk`: {said[:200]}", where=str(path)) from None
    parts = dict(whole) if isinstance(whole, Mapping) else {"": whole}
    first = next(iter(parts.values()))
    names = {name: kind.names for name, kind in first.features.items() if getattr(kind, "names", None)}
    roles = None
    if len(parts) > 1:
        roles = np.concatenate([np.full(len(part), role_of(name), dtype=np.int64) for name, part in parts.items()])
    frame = _Saved(list(parts.values()))
    return Table(frame=frame, known=frame.columns, names=names, roles=roles)


def _strings(column: Series, name: str, where: str) -> list[str]:
    from audit.data.columns import refuse_nested

    lacking = column.isna()
    if lacking.any():
        raise DataError(f"row {int(lacking.to_numpy().argmax())} has no {name}.", where=where, do="Remove it.")
    refuse_nested(column, name, where)
    return [str(one) for one in column]
