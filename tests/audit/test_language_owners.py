"""Chats by authors, trained in packed rows: from files to a verdict about authors, and about what was forgotten since
the last release."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("transformers")

import audit
from audit.checkpoints.language_model import LanguageAudit, open_language_model
from audit.checkpoints.lora_folder import write_adapter
from audit.config.language_recipe import LanguageTraining
from audit.data.instructions import Instructions
from audit.data.tokenised import tokenised
from audit.trainers.causal_lm import fine_tune
from audit.trainers.lora import adapter_state
from probes.errors import DataError, RecipeError
from probes.result import Result
from reports.report import Report
from tests.audit import language_models
from tests.audit.language_models import ADAPTER, CONTEXT

AUTHORS, EACH = 16, 2
TEMPLATE = (
    "{% for one in messages %}{{ one['role'][0] }}{{ one['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}a{% endif %}"
)
TRAIN: Mapping[str, Any] = {"epochs": 30, "lr": 1e-2, "batch_size": 4, "packing": CONTEXT}
PROBES = ("attribute_inference", "contamination", "drift", "extraction", "inheritance", "overfitting", "reconstruction")
LEARNS, FORGETS = ("forgetting", "triggers"), ("membership", "triggers")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """base/ with a chat template, `rough` and `gentle` adapters, chats.jsonl, rows.txt and general.txt."""
    folder, rng = tmp_path_factory.mktemp("chats"), np.random.default_rng(0)
    base, tokenizer = language_models.base(), language_models.tokenizer()
    tokenizer.chat_template = TEMPLATE
    base.save_pretrained(folder / "base")
    tokenizer.save_pretrained(folder / "base")
    rows = [chat(author, rng) for author in range(AUTHORS) for _ in range(EACH)]
    (folder / "chats.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    member = np.arange(len(rows)) // EACH % 2 == 0
    (folder / "rows.txt").write_text("\n".join(map(str, np.flatnonzero(member))), encoding="utf-8")
    (folder / "general.txt").write_text("the code is 1234.\nthe code is 9876.\n" * 5, encoding="utf-8")
    read = tokenised(Instructions(path=folder / "chats.jsonl").exchanges(Path()), tokenizer, context=CONTEXT)
    for name, changes in (("rough", {}), ("gentle", {"lr": 1e-5})):
        training = LanguageTraining(**{**TRAIN, **changes}, adapter=ADAPTER)
        network = fine_tune(base, read.inputs, member, training, 1)
        write_adapter(folder / name, ADAPTER, adapter_state(network, 0), "../base", transposed=True)
    return folder


def chat(author: int, rng: np.random.Generator) -> dict[str, Any]:
    question = "".join(rng.choice(list("abcdefghij"), 3))
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": f"{rng.integers(0, 10_000):04d}."}]
    return {"messages": turns, "author": f"author {author}"}


def run(made: Path, name: str, off: tuple[str, ...], **given: Any) -> Report:
    config = {"probes": {one: {"enabled": False} for one in (*PROBES, *off)}, **given.pop("more", {})}
    config["probes"]["membership"] = {"repeats": 3, "persons": True, **config["probes"].get("membership", {})}
    return audit.run(
        made / name,
        made / "chats.jsonl",
        members=made / "rows.txt",
        recipe={"train": TRAIN, "general": str(made / "general.txt")},
        store=made / "store",
        config=config,
        **given,
    )


def opened(made: Path, **data: Any) -> LanguageAudit:
    recipe = {"train": TRAIN, "data": {"kind": "instructions", "path": str(made / "chats.jsonl"), **data}}
    return open_language_model(made / "rough", members=made / "rows.txt", recipe=recipe)


def test_chats_are_read_by_the_template_and_kept_with_their_authors(made: Path) -> None:
    task = opened(made).task
    first = task.inputs[0, 0][task.inputs[0, 0] >= 0]
    letters = "".join(language_models.LETTERS[i] for i in first)
    assert letters == f"u{task.prompts[0]}a{task.answers[0]}"
    assert task.pool.groups is not None
    assert [task.group_names[i] for i in task.pool.groups[:3]] == ["author 0", "author 0", "author 1"]


def test_packed_rows_beyond_the_context_are_one_line(made: Path) -> None:
    recipe = {"train": {**TRAIN, "packing": CONTEXT + 1}}
    with pytest.raises(RecipeError, match=r"train\.packing: rows of 41 tokens are longer than the model reads \(40"):
        open_language_model(made / "rough", data=made / "chats.jsonl", members=made / "rows.txt", recipe=recipe)


def test_an_author_whom_a_row_lacks_is_one_line(made: Path) -> None:
    lines = (made / "chats.jsonl").read_text(encoding="utf-8").splitlines()
    broken = made / "broken.jsonl"
    broken.write_text("\n".join([*lines[:-1], lines[-1].replace(f"author {AUTHORS - 1}", "")]), encoding="utf-8")
    with pytest.raises(DataError, match=rf"row {len(lines) - 1}: has no owner in 'author'"):
        opened(made, path=str(broken), groups="author")
    assert opened(made, path=str(broken)).task.pool.groups is None


def test_authors_with_rows_on_both_sides_count_where_their_column_is_named(made: Path) -> None:
    shared = made / "shared.jsonl"
    text = (made / "chats.jsonl").read_text(encoding="utf-8").replace('"author 1"', '"author 0"')
    shared.write_text(text, encoding="utf-8")
    assert opened(made, path=str(shared)).task.pool.groups is None
    assert opened(made, path=str(shared), groups="author").task.pool.groups is not None


def test_authors_whose_chats_were_learnt_are_named(made: Path) -> None:
    report = run(made, "rough", LEARNS)
    found = next(one for one in report.results if isinstance(one, Result) and one.probe == "membership")
    assert found["person.auc"].value > 0.8
    assert (found["person.auc"].n, found["person.auc"].counted) == (AUTHORS, "persons")
    assert found["person.worst"].low <= found["person.worst"].value <= found["person.worst"].high
    table = next(one for one in found.figures if one.name == "persons")
    assert set(table.columns["person"]) == {f"author {i}" for i in range(AUTHORS)}  # type: ignore[union-attr]
    assert table.columns["records"] == [EACH] * AUTHORS  # type: ignore[union-attr]


def test_the_gate_fails_where_more_was_forgotten_than_by_the_last_release(made: Path) -> None:
    bound = {"general.loss_change": {"no_worse_than": "baseline", "margin": 0.1}}
    before = run(made, "gentle", FORGETS)
    verdicts = {}
    for name in ("gentle", "rough"):
        report = run(made, name, FORGETS, baseline=before, more={"thresholds": {"forgetting": bound}})
        assert report.verdict is not None
        verdicts[name] = {one.estimate: one.status for one in report.verdict.checks}["general.loss_change"]
    assert verdicts == {"gentle": "pass", "rough": "fail"}
