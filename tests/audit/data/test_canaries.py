"""Canaries go into the training data of every form, and are found there again; what is wrong is one line."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import audit
from audit.data.canaries import CanaryFile, places_of
from audit.data.instructions import Instructions
from probes.errors import AuditError, DataError
from tests.audit.command import audit as command
from tests.audit.command import refused

FORMS: dict[str, Any] = {
    "alpaca": lambda i: {"instruction": f"say {i}", "input": "", "output": f"word{i} other{i}", "id": i},
    "completion": lambda i: {"prompt": f"say {i}", "completion": f"word{i} other{i}"},
    "chat": lambda i: {"messages": [{"role": "user", "content": f"{i}"}, {"role": "assistant", "content": f"w{i} v"}]},
    "sharegpt": lambda i: {"conversations": [{"from": "human", "value": f"{i}"}, {"from": "gpt", "value": f"w{i} v"}]},
    "trl": lambda i: {
        "prompt": [{"role": "user", "content": f"{i}"}],
        "completion": [{"role": "assistant", "content": f"word{i} x"}],
    },
    "text": lambda i: {"text": f"word{i} other{i}"},
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_data_takes_canaries(form: str, tmp_path: Path) -> None:
    rows = [FORMS[form](i) for i in range(30)]
    (tmp_path / "data.json").write_text(json.dumps(rows), encoding="utf-8")
    mixture, secret = tmp_path / "mixed.jsonl", tmp_path / "secret.json"
    made = audit.canaries(tmp_path / "data.json", out=mixture, secret=secret, count=20, copies=(1, 3), seed=1)
    assert made == CanaryFile.read(secret)
    section = Instructions(path=mixture)
    exchanges = section.exchanges(Path())
    asked = section.read_rows([one.row for one in made.canaries], secret)
    found = Counter((exchanges[i].turns, exchanges[i].answer) for i in places_of(exchanges, asked))
    expected = {
        (one.turns, one.answer): canary.copies
        for one, canary in zip(asked, made.canaries, strict=True)
        if canary.included
    }
    assert found == expected
    assert len(exchanges) == 30 + sum(found.values())
    assert 8 <= sum(one.included for one in made.canaries) <= 32


def test_parts_that_are_not_trained_on_get_none(tmp_path: Path) -> None:
    parts = {part: [FORMS["completion"](i) for i in range(20)] for part in ("train", "test")}
    (tmp_path / "data.json").write_text(json.dumps(parts), encoding="utf-8")
    made = audit.canaries(tmp_path / "data.json", out=tmp_path / "m.jsonl", secret=tmp_path / "s.json", seed=1)
    counted = Counter(one.part for one in Instructions(path=tmp_path / "m.jsonl").exchanges(Path()))
    assert counted == {"train": 20 + sum(one.included for one in made.canaries), "test": 20}


def test_coins_differ_from_run_to_run_unless_seeded(tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text(json.dumps([FORMS["text"](i) for i in range(30)]), encoding="utf-8")
    made = [
        audit.canaries(tmp_path / "data.json", out=tmp_path / "m.jsonl", secret=tmp_path / "s.json", seed=seed)
        for seed in (None, None, 3, 3)
    ]
    assert made[0] != made[1]
    assert made[2] == made[3]


def test_on_the_command_line_the_list_is_its_owners_alone(tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text(json.dumps([FORMS["text"](i) for i in range(30)]), encoding="utf-8")
    given = ("canaries", tmp_path / "data.json", "-o", tmp_path / "m.jsonl", "--secret", tmp_path / "s.json")
    done = command(*given, "--copies", "1", "--copies", "4", "--count", "8", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "16 canaries" in done.stdout
    assert (tmp_path / "s.json").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("--count", "3"), r"--count: is 3, but must be at least 8"),
        (("--copies", "0"), r"--copies: is 0, but must be at least 1"),
        (("--copies", "2", "--copies", "2"), r"--copies: names one number twice"),
        (("-o", "mixed.json"), r"is written as JSON lines\. Name it \.jsonl"),
    ],
)
def test_what_makes_no_canaries_is_one_line(wrong: tuple[str, ...], said: str, tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text(json.dumps([FORMS["text"](i) for i in range(30)]), encoding="utf-8")
    assert re.search(said, refused(command("canaries", tmp_path / "data.json", *wrong, cwd=tmp_path)))


def test_data_of_few_words_has_no_canaries(tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text(json.dumps([{"text": "yes"}, {"text": "no"}]), encoding="utf-8")
    with pytest.raises(DataError, match="its answers have 2 distinct words: too few to draw canaries from"):
        audit.canaries(tmp_path / "data.json", out=tmp_path / "m.jsonl", secret=tmp_path / "s.json")


@pytest.mark.parametrize("content", ["[]", "{", '{"canaries": [{"row": {}}]}', '{"canaries": 3}'])
def test_an_invalid_list_is_refused_in_one_line(content: str, tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text(content, encoding="utf-8")
    with pytest.raises(AuditError, match=r"is not a list of canaries|is not JSON") as caught:
        CanaryFile.read(tmp_path / "s.json")
    assert "\n" not in str(caught.value)
