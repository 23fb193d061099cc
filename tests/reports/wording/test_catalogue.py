"""What a report says in each language."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

import probes
from probes.errors import InputError
from probes.message import Message
from probes.result import Estimate, Finding
from reports.wording.catalogue import words


def test_numbers_in_claims_are_spaced() -> None:
    values = {"value": 0.9123, "low": 0.8, "high": 0.95}
    finding = Finding(code="membership.label-noise-exposes", severity="info", values=values)
    assert "91 %（80 % 至 95 %）" in words("zh").claim(finding)
    assert "in 91 % (80 % to 95 %) of pairs" in words("en").claim(finding)
    gap = {"gap": 0.1234, "low": -0.1, "high": 0.15, "who": Message("overfitting.this-recipe")}
    assert (
        words("en")
        .claim(dataclasses.replace(finding, code="overfitting.gap", values=gap))
        .endswith("by 12.3 percentage points (−10.0 to 15.0).")
    )


def test_unknown_names_and_languages() -> None:
    say = words("en")
    loss = Estimate(
        name="attack.loss.auc", value=0.5, low=0.4, high=0.6, n=9, unit="AUC",
        title=Message("membership.attack-auc", {"attack": "loss"}),
    )  # fmt: skip
    assert say.title(loss, "membership") == "AUC of the attack loss, by itself"
    assert words("zh").title(loss, "membership") == "单独使用攻击 loss 的 AUC"
    assert say.estimate("strange.number") == "strange.number"
    assert say.probe("strange", "title") == "strange"
    with pytest.raises(InputError, match="no language"):
        words("tlh")


def test_what_a_strangers_probe_notes_in_plain_text_is_shown_as_it_is() -> None:
    assert words("zh").text("Only 40 {of} them") == "Only 40 {of} them"


def test_units_and_what_is_counted_have_their_chinese() -> None:
    """Of every estimate of a built-in probe: the source names them by `unit=` and `counted=`."""
    source = "".join(path.read_text(encoding="utf-8") for path in Path(probes.__file__).parent.rglob("*.py"))
    for table, field in (("units", "unit"), ("counted", "counted")):
        named = set(re.findall(rf'\b{field}="([^"]+)"', source)) - {"AUC", "CKA", "ε"}
        assert len(named) > 5
        assert {name for name in named if words("zh").texts.own(table, name) is None} == set()
