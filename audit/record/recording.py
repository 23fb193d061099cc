"""Writes an audit record beside the weights from your own training code."""

from __future__ import annotations

import datetime
import hashlib
import os
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from audit.data.fingerprints import fingerprint, of_array, of_text, of_tokens
from audit.data.record import NAME, Base, Part, Record, View, plain
from audit.record.network_code import keep_function
from audit.runtime.versions import versions
from audit.storage.atomic import private_folder
from audit.storage.hub_cache import local_base
from probes.errors import DataError

WEIGHTS = ("*.safetensors", "*.pt", "*.pth", "*.bin", "*.ckpt")
LIBRARIES = ("transformers", "peft", "lightning", "timm", "datasets", "tokenizers", "accelerate")


class Recording:
    """Writes FOLDER/audit-record.json when the block ends without an exception.

    folder     where the weights are saved before the block ends
    data       a recipe's [data], with paths relative to the working folder: {"kind": "text", "path": "messages.csv"}.
               Without it, the audit needs a recipe that has one
    recipe     other sections of a recipe: {"train": {"lr": 0.001}}; of source.model = "module:function" the file is
               copied into the folder, with the project files that it imports
    arguments  the training library's own
    seed       the seed of the training
    base       the folder or file that it started from, or its name on the Hub
    revision   of a base on the Hub
    code       sha256 of the files in the folder that build the network, by path

    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with Recording(folder, seed=1) as record:
    ...         record.trained(np.zeros((2, 3)))
    ...         record.measured(held_out_accuracy=0.9)
    ...     pathlib.Path(folder, "audit-record.json").exists()
    True
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        data: Mapping[str, Any] | None = None,
        recipe: Mapping[str, Any] | None = None,
        arguments: Mapping[str, Any] | None = None,
        seed: int | None = None,
        base: str | Path | None = None,
        revision: str = "",
        code: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.code = dict(code or {})
        self.data, self.recipe, self.arguments = data, dict(recipe or {}), dict(arguments or {})
        self.seed, self.base, self.revision = seed, base, revision
        self.salt = secrets.token_hex(32)
        self.rows: dict[Part, dict[View, list[str]]] = {"trained": {}}
        self.measures: dict[str, float] = {}

    def trained(self, rows: Any) -> None:
        """The samples that were trained on: texts, pairs of texts, lists of token ids, arrays [samples ...], a frame,
        or a data set whose rows are dicts (`text` columns, `input_ids`, images)."""
        self._add("trained", rows)

    def evaluated(self, rows: Any) -> None:
        """The samples that were held out, on which the measurements were made."""
        self._add("evaluated", rows)

    def measured(self, **measures: float) -> None:
        """Measurements of the model at the end of the training: held_out_accuracy, held_out_log_loss, member_accuracy,
        member_log_loss (nats)."""
        self.measures |= {name: float(value) for name, value in measures.items()}

    def _add(self, part: Part, rows: Any) -> None:
        key = bytes.fromhex(self.salt)
        kept = self.rows.setdefault(part, {})
        for view, contents in contents_of(rows, self.data).items():
            kept.setdefault(view, []).extend(fingerprint(one, key) for one in contents)

    def write(self) -> Path:
        """The record so far. Raises DataError if no row was recorded."""
        if not any(self.rows["trained"].values()):
            raise DataError("no row was recorded as trained on.", where=NAME, do="Call .trained(rows).")
        source, left_out = self._source()
        made = Record(
            salt=self.salt,
            rows=self.rows,
            data=None if self.data is None else moved(self.data, self.folder),
            recipe={**self.recipe, **({"source": source} if source else {})},
            arguments={**plain(self.arguments), **({"left_out": left_out} if left_out else {})},
            seed=self.seed,
            base=base_of(self.base, self.revision, self.folder),
            measures=self.measures,
            versions=versions() | libraries(),
            weights={file.name: digest(file) for file in weights_in(self.folder)},
            code=self.code,
            made=datetime.datetime.now(datetime.UTC).date().isoformat(),
        )
        return made.write(self.folder)

    def _source(self) -> tuple[dict[str, Any], list[str]]:
        """The recipe's [source] as it is read beside the record, whose folder then holds the network's code; and what
        of it is not there."""
        source = dict(self.recipe.get("source") or {})
        left_out = list(self.arguments.get("left_out") or ())
        if source and not self.code:
            kept = keep_function(str(source.get("model", "")), Path.cwd(), self.folder)
            source |= kept.source
            self.code |= kept.digests
            left_out += [f"source.model ({kept.missing})"] if kept.missing else []
        if isinstance(named := source.get("weights"), str | Path) and Path(named).exists():
            source["weights"] = Path(os.path.relpath(named, self.folder)).as_posix()
        return source, left_out

    def __enter__(self) -> Recording:
        """With the folder, into which the weights are saved."""
        private_folder(self.folder)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.write()


def contents_of(rows: Any, data: Mapping[str, Any] | None = None) -> dict[View, list[bytes]]:
    """What identifies each row, in every view that the rows have. Raises DataError if they have none."""
    if hasattr(rows, "iloc"):
        return _of_columns({str(name): list(rows[name]) for name in rows.columns}, data)
    columns = getattr(rows, "column_names", None)
    if columns is not None:
        plainly = rows.with_format(None) if hasattr(rows, "with_format") else rows
        return _of_columns({name: plainly[name] for name in columns}, data)
    if hasattr(rows, "dtype") and getattr(rows, "ndim", 0) >= 2:
        return {"array": [of_array(row) for row in np.asarray(rows)]}
    listed = [rows[index] for index in range(len(rows))] if hasattr(rows, "__getitem__") else list(rows)
    if not listed:
        return {}
    if isinstance(listed[0], Mapping):
        return _of_columns({name: [one[name] for one in listed] for name in listed[0]}, data)
    if isinstance(listed[0], str):
        return {"text": [of_text(one) for one in listed]}
    if isinstance(listed[0], tuple) and all(isinstance(one, str) for one in listed[0]):
        return {"text": [of_text(*one) for one in listed]}
    if isinstance(listed[0], tuple):  # (inputs, label), as in torch's data sets
        return contents_of([one[0] for one in listed], data)
    if isinstance(listed[0], list):
        return {"tokens": [of_tokens(one) for one in listed]}
    return {"array": [of_array(one) for one in listed]}


def _of_columns(columns: Mapping[str, Iterable[Any]], data: Mapping[str, Any] | None) -> dict[View, list[bytes]]:
    found: dict[View, list[bytes]] = {}
    named = (data or {}).get("text", "text")
    texts = (named,) if isinstance(named, str) else tuple(named)
    if all(name in columns for name in texts):
        found["text"] = [of_text(*map(str, one)) for one in zip(*(columns[name] for name in texts), strict=True)]
    if "input_ids" in columns:
        masks = columns.get("attention_mask")
        ids = [np.asarray(one) for one in columns["input_ids"]]
        kept = ids if masks is None else [one[np.asarray(mask) > 0] for one, mask in zip(ids, masks, strict=True)]
        found["tokens"] = [of_tokens(one) for one in kept]
    for name in ((data or {}).get("image", "image"), "img", "pixel_values"):
        if name in columns:
            found["array"] = [of_array(picture(one)) for one in columns[name]]
            break
    if not found:
        raise DataError(
            f"rows have the columns {', '.join(map(str, columns))}, none of which identifies them.",
            where=NAME,
            do='Name the text: data={"kind": "text", "text": COLUMN, ...}; or give the rows as an array.',
        )
    return found


def picture(one: Any) -> Any:
    """An image in stored form: [height, width, channels]."""
    array = np.asarray(one)
    return array[:, :, None] if array.ndim == 2 else array


def moved(data: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The section with paths relative to the folder."""
    seen = {}
    for name, value in data.items():
        local = name in ("path", "tokenizer", "labels") and isinstance(value, str | Path)
        seen[name] = Path(os.path.relpath(value, folder)).as_posix() if local else value
    return seen


def base_of(base: str | Path | None, revision: str, folder: Path) -> Base:
    if base is None:
        return Base()
    place = Path(base)
    if not place.exists():
        cached = local_base(place, revision)
        if cached is None:
            return Base(name=str(base), revision=revision)
        # The folder of a download is named by its revision, which transformers 5 no longer keeps with the model.
        known = cached.name if cached.parent.name == "snapshots" else ""
        return Base(name=str(base), revision=revision or known, digest=_digest_of(cached))
    return Base(name=Path(os.path.relpath(place, folder)).as_posix(), revision=revision, digest=_digest_of(place))


def _digest_of(place: Path) -> str:
    """sha256 over the digests of a base's weight files."""
    files = weights_in(place) if place.is_dir() else [place]
    return hashlib.sha256("".join(digest(file) for file in files).encode()).hexdigest()


def weights_in(folder: Path) -> list[Path]:
    return sorted(file for pattern in WEIGHTS for file in folder.glob(pattern) if not file.name.startswith("training_"))


def digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def libraries() -> dict[str, str]:
    """Versions of the installed training libraries."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
