"""A commented template of everything that a gate can check: one line per estimate, by probe."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files

from audit.config.audit_config import Config
from probes.texts import PACKAGES, texts

MORE = re.compile(r"accuracy|gain|recall|precision|_f1|(?<!in)stability|insertion|similarity|^cka")
"""Estimates that get a minimum, unless they are in LESS."""
TAIL = "# Parameters of the probes"
"""Where the short template continues after its thresholds."""
LESS = re.compile(r"gap|inflation|precision_at|auc|tpr|advantage|shuffled|guessing")


def template() -> str:
    """audit.toml with every estimate for which the installed probes have a title, each commented out. An uncommented
    line is a threshold; 0.0 is a placeholder if there is no built-in bound."""
    text = (files("audit.config") / "templates" / "audit.toml").read_text(encoding="utf-8")
    head, _, _ = text.partition("[thresholds.")
    tail = text[text.index(TAIL) :]
    sections = {probe: list(_lines(probe)) for probe in PACKAGES.names()}
    asked = ["\n".join([f"[thresholds.{probe}]", *lines]) for probe, lines in sections.items() if lines]
    head = head.replace("is the default.", "is the default; 0.0 stands where there is none.", 1)
    return "\n\n".join([head.rstrip("\n"), *asked, tail])


def _lines(probe: str) -> Iterator[str]:
    built_in = {(one.probe, one.estimate): one for one in Config().gate().thresholds}
    own = texts("en").packages.get(probe, {}).get("estimates", {})
    for name in sorted(own):
        known = built_in.get((probe, name))
        side = known.direction if known else "min" if asks_for_more(name) else "max"
        yield f'# "{name}" = {{ {side} = {known.bound if known else 0.0} }}  # {own[name]}'


def asks_for_more(name: str) -> bool:
    """Whether a threshold on it is a minimum.

    >>> asks_for_more("checkpoint.held_out_accuracy"), asks_for_more("recipe.accuracy_gap")
    (True, False)
    """
    return bool(MORE.search(name)) and not LESS.search(name)
