"""Would an independent model be a control for natural evidence? One that never saw the donors or hosts, of the same
recipe and another seed, or a linear probe on a network with random weights: how many of its predictions follow what the
audited model's follow?

    python -m tests.probes.drift.shortcut_zoo.independent --models 2 --first 900
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from torch import nn

from probes.drift.shortcuts.estimates import Confirmed, judged
from probes.drift.shortcuts.looks import Looks
from probes.drift.shortcuts.search import ShortcutSearch
from probes.drift.shortcuts.trial import Trial
from probes.observable import Subject
from probes.statistics.student_t import t_critical
from tests.probes.drift.shortcut_zoo.audits import RELIED
from tests.probes.drift.shortcut_zoo.data import DATA
from tests.probes.drift.shortcut_zoo.models import SUSPECT, Model, model, trained
from tests.probes.drift.shortcut_zoo.plants import kinds_of

KINDS = ("patch", "jittered-logo", "frame", "tint", "brightness", "texture", "number", "imputed", "trigger", "silence")
Rates = tuple[float, float, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=2, help="seeds of each kind on each data set")
    parser.add_argument("--first", type=int, default=900)
    parser.add_argument("--data", nargs="+", help="names of data sets; all by default")
    options = parser.parse_args()
    torch.set_num_threads(1)
    seeds = range(options.first, options.first + options.models)
    found: dict[str, list[Rates]] = {"planted": [], "sound": []}
    for data in (made for made in (make() for make in DATA) if not options.data or made.name in options.data):
        for kind in ("benign", *KINDS):
            if kind in kinds_of(data):
                for one in (model(data, kind, seed) for seed in seeds):
                    if (rates := compared(one)) is not None:
                        found["sound" if kind == "benign" else "planted"].append(rates)
    for name, rows in found.items():
        each = np.array(rows)
        print(f"{name}: {len(each)} models")
        for column, who in enumerate(("the audited model", "another seed on other samples", "a linear probe")):
            mine, less = interval(each[:, column]), interval(each[:, 0] - each[:, column])
            print(f"  {who}: {mine} follow; the audited model less this {less}")


def interval(values: np.ndarray) -> str:
    reach = t_critical(0.95, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
    return f"{values.mean():.2f} ({values.mean() - reach:.2f} to {values.mean() + reach:.2f})"


def compared(one: Model) -> Rates | None:
    """Of a planted model what the search confirms most for its class, of a sound one its foremost candidate; None if
    there is none, or if the model does not rely on its plant."""
    search = ShortcutSearch(samples=240, most=240)
    chosen = search.choose(one.pool, np.random.default_rng(5))
    rest = np.setdiff1d(np.flatnonzero(one.pool.member), chosen)
    inputs, labels = one.inputs[chosen], torch.from_numpy(one.pool.labels)[chosen]
    arrays = dict(search(subject(one, one.network), inputs, labels, np.random.default_rng(6)))
    said = judged(arrays, search.level, search.bound)
    planted = [each for each in said.confirmed if each.candidate.label == SUSPECT]
    if one.kind != "benign" and (one.reliance < RELIED or not planted):
        return None
    foremost = planted[0] if one.kind != "benign" else said.foremost
    if foremost is None:
        return None
    torch.manual_seed(77)
    fresh = [fresh_copy(one.network), fresh_copy(one.network)]
    seen, answers = one.inputs[rest], torch.from_numpy(one.pool.labels)[rest]
    other = trained(fresh[0], seen, answers, 77, 2 * one.data.epochs)
    fresh[1][:-1].requires_grad_(False)
    probe = trained(fresh[1], seen, answers, 78, 4 * one.data.epochs)
    return tuple(rate(one, network, foremost, inputs, labels) for network in (one.network, other, probe))  # type: ignore[return-value]


def fresh_copy(network: nn.Sequential) -> nn.Sequential:
    import copy

    made = copy.deepcopy(network).requires_grad_(True)
    for part in made.modules():
        if hasattr(part, "reset_parameters"):
            part.reset_parameters()
    return made.train()


def subject(one: Model, network: nn.Sequential) -> Subject:
    return Subject(name="a", role="audited", network=network, embed=network[:-1], same_labels=True,
                   modality=one.data.modality)  # fmt: skip


def rate(one: Model, network: nn.Sequential, found: Confirmed, inputs: torch.Tensor, labels: torch.Tensor) -> float:
    """The share of this network's predictions that follow, from the donors that the audited model's attributions
    choose."""
    looks = Looks(subject=subject(one, one.network), inputs=inputs, labels=labels, first=len(labels) // 2, steps=4,
                  seed=7)  # fmt: skip
    (family,) = [each for each in ShortcutSearch().of(one.data.modality) if each.name == found.family]
    trial = Trial(subject=subject(one, network), proposing=looks.proposing, members=looks.everyone)
    sides = trial.sides(looks.giving, looks.receiving)
    paired = trial.confirm(family, found.candidate, sides, np.random.default_rng(8))
    return 0.0 if paired is None else paired.candidate.rate


if __name__ == "__main__":
    main()
