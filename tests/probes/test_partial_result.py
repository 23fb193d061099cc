"""What a section of a probe says reaches the probe's result."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np

from probes.partial_result import Part, joined
from probes.statistics.proportions import proportion

PROBES = Path(__file__).parents[2] / "probes"


def test_all_that_the_sections_say_is_in_the_result() -> None:
    one = Part(notes=("a note",), per_sample={"x": np.zeros(2)})
    other = Part(estimates=(proportion("share", 1, 2, level=0.95),), notes=("another note",))
    result = joined((one, other)).result("own", {"level": 0.95}, ("a limit",))
    assert result.notes == ("a note", "another note", "a limit")
    assert set(result.per_sample) == {"x"}
    assert result["share"].value == 0.5


def test_no_built_in_probe_assembles_its_result_by_hand() -> None:
    """A result that lists fields of its sections one by one lost the notes of some."""
    files = sorted(PROBES.glob("*/**/*.py"))
    assert files
    by_hand = [
        path.relative_to(PROBES).as_posix()
        for path in files
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Result"
    ]
    assert by_hand == []
