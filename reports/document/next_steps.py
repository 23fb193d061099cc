"""What the reader of a report can do next, which depends on how the audited model was given: texts have forms for it,
and only commands that can be followed are shown."""

from __future__ import annotations

import re
from collections.abc import Mapping

from probes.result import Finding
from reports.report import Report
from reports.wording.catalogue import Words

FORMS: Mapping[str, tuple[str, ...]] = {
    "checkpoint": (),
    "weights": ("weights",),
    "folder": ("weights",),
    "record": ("record",),
    "network": ("network",),
    "bare-network": ("bare-network", "network"),
    "trainer": ("trainer",),
    "function": ("function", "trainer"),
    "estimator": ("estimator", "function", "trainer"),
    "language": ("language",),
    "language-trainer": ("language-trainer", "language"),
    "predictions": ("predictions",),
}
"""By how the model was given (`given` in results.json), the forms of texts, the most specific first.

checkpoint: a file of `audit finetune`; weights: a file from elsewhere, and folder: a model that its library saved, both
with a recipe; record: a folder that needs none; network, bare-network: an object in Python with and without a recipe;
trainer: `--trainer FILE:FUNCTION`, language-trainer: the same for a language model; function: a trainer in Python;
estimator: fitted by its own class.
"""
COMMANDS: Mapping[str, Mapping[str, str]] = {
    "checkpoint": {"run": "-m MODEL", "mitigate": "-m MODEL", "finetune": "RECIPE.toml", "inspect": "MODEL"},
    "weights": {
        "run": "-m MODEL --recipe RECIPE.toml",
        "mitigate": "-m MODEL --recipe RECIPE.toml",
        "finetune": "RECIPE.toml",
    },
    "folder": {"run": "-m MODEL --recipe RECIPE.toml", "mitigate": "-m MODEL --recipe RECIPE.toml"},
    "record": {"run": "-m MODEL", "mitigate": "-m MODEL"},
    "trainer": {"run": "--trainer FILE:FUNCTION"},
    "language": {"run": "-m MODEL --data DATA --members ROWS"},
    "language-trainer": {"run": "-m MODEL --data DATA --members ROWS --trainer FILE:FUNCTION"},
}
"""The commands that take such a model, and how; none takes an object in Python, or predictions for what needs more."""
OWN_CODE = " --trust-code"
STEP = re.compile(r"^audit (\w+) (?:-m MODEL|RECIPE\.toml|MODEL)(?= |$)")


def given(report: Report) -> str:
    """How the model was given; for reports that do not record it, as far as their other parts tell."""
    told, recipe = report.model.get("given"), report.model.get("recipe")
    if isinstance(told, str) and told in FORMS:
        return told
    if report.data.get("modality") == "language":
        return "language"
    if report.model.get("architecture") == "predictions":
        return "predictions"
    source = recipe.get("source") if isinstance(recipe, Mapping) else None
    model = str(source.get("model")) if isinstance(source, Mapping) else ""
    if model.startswith("trainer:"):
        return "trainer" if ".py:" in model else "function"
    return "network" if model.startswith("memory:") else "checkpoint"


def forms(report: Report) -> tuple[str, ...]:
    """The forms of texts for this audit: by how the model was given, then by the kind of its data."""
    return (*FORMS[given(report)], str(report.data.get("modality") or ""))


def command(finding: Finding, params: Mapping[str, object], report: Report, say: Words) -> str:
    """A command that readers may copy into a shell, so only numbers are filled in; empty if one is missing, or if none
    takes a model that was given as this one."""
    known = {f"twice_{name}": 2 * value for name, value in params.items() if type(value) is int}
    known |= {name: value for name, value in finding.values.items() if type(value) is int}
    try:
        text = say.texts.part(finding.code, "command").format(**known)
    except KeyError:  # an older or a third-party probe gives other values
        return ""
    taken, steps = COMMANDS.get(given(report), {}), []
    for step in text.split(" && ") if text else ():
        named = STEP.match(step)
        if named is not None and named[1] not in taken:
            return ""
        if named is not None:
            step = f"audit {named[1]} {taken[named[1]]}{step[named.end() :]}"
        steps.append(_once(step) + (OWN_CODE if _runs_code(step, report) else ""))
    return " && ".join(steps)


def _once(step: str) -> str:
    """Without an option that the form of the command repeats."""
    recipe = " --recipe RECIPE.toml"
    first, found, rest = step.partition(recipe)
    return first + found + rest.replace(recipe, "")


def _runs_code(step: str, report: Report) -> bool:
    """Whether the model is code of its own, which these commands run only when told to."""
    return report.model.get("own_code") is True and step.split()[1] in ("run", "mitigate")
