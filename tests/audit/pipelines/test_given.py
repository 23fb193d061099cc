"""A report records how its model was given, and advises what such a model's owner can do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier

import audit
from reports.document.next_steps import given
from reports.document.outline import outline

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 4)).astype(np.float32)
Y = (X[:, 0] + RNG.normal(size=80) > 0).astype(int)
MEMBERS = np.arange(40)
OTHERS = ("attribute_inference", "drift", "forgetting", "inheritance", "reconstruction")
ONLY = {"probes": {name: {"enabled": False} for name in OTHERS}}


def forest() -> RandomForestClassifier:
    return RandomForestClassifier(5, random_state=0).fit(X[MEMBERS], Y[MEMBERS])


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))


def predictions() -> audit.Predictions:
    return audit.Predictions(outputs=forest().predict_proba(X), labels=Y, members=MEMBERS)


@pytest.mark.parametrize(
    ("model", "how", "never"),
    [(predictions, "predictions", "recipe,|recipe="), (network, "bare-network", "--"), (forest, "estimator", "epochs")],
)
def test_what_to_do_is_for_a_model_that_was_given_so(model, how: str, never: str, tmp_path: Path) -> None:
    about = {} if how == "predictions" else {"data": (X, Y), "members": MEMBERS}
    changes = ("probes.membership.repeats=2", "probes.overfitting.repeats=2")
    report = audit.run(model(), config=ONLY, changes=changes, store=tmp_path, **about)
    assert given(report) == report.model["given"] == how
    document = outline(report)
    told = [(risk.to_do, risk.command) for risk in document.risks]
    told += [(one.helps, one.command) for section in document.sections for one in section.findings]
    assert any(helps for helps, _ in told)
    assert not [helps for helps, _ in told if any(word in helps for word in never.split("|"))]
    assert not [command for _, command in told if command]
    assert all(len(sentences) == len(set(sentences)) for sentences in (helps.split(". ") for helps, _ in told))
