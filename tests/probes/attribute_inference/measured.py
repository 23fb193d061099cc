"""Attribute inference on UCI Adult for networks of more and fewer epochs, as rows of docs/membership.md.

    python -m tests.probes.attribute_inference.measured adult.csv [MODELS [NULLS]]
    python -m tests.probes.attribute_inference.measured small NULLS

1,000 members and 1,000 held-out records, a network of 256 hidden units; with true labels, and with labels at random,
which can only be memorised. Null models were trained as long on 1,000 other records: none of them can give anything
away, so a finding is a false alarm. With `small`, only such nulls, on random tables of two columns to try.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from torch import nn

from probes.answers import answers
from probes.attribute_inference import AttributeInference
from probes.evidence import Evidence
from probes.observable import Observation, Subject
from probes.plan import Pool
from probes.population import Population
from probes.result import Result
from tests.probes.attribute_inference.test_probe import audit, records

EACH = 1000
EPOCHS = (5, 50, 400)


def adult(path: str) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Standardised numbers and dummies of words, the labels, and the names of the columns."""
    frame = pd.read_csv(path, header=None, skipinitialspace=True)
    frame.columns = [f"c{place}" for place in range(frame.shape[1])]
    table = pd.get_dummies(frame.iloc[:, :-1], prefix_sep="=").astype(float)
    numbers = [name for name in table.columns if "=" not in name]
    table[numbers] = (table[numbers] - table[numbers].mean()) / table[numbers].std()
    labels = frame.iloc[:, -1].astype(str).str.contains(">50K").to_numpy().astype(np.int64)
    return table.to_numpy().astype(np.float32), labels, tuple(table.columns)


def audited(
    table: np.ndarray,
    labels: np.ndarray,
    names: tuple[str, ...],
    epochs: int,
    seed: int,
    *,
    random: bool,
    null: bool = False,
) -> Result:
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(table))[: 3 * EACH]
    inputs, own = table[chosen], rng.integers(0, 2, 3 * EACH) if random else labels[chosen]
    place = np.arange(3 * EACH)
    member, held_out, unseen = place < EACH, (place >= EACH) & (place < 2 * EACH), place >= 2 * EACH
    trained_on = np.flatnonzero(unseen if null else member)
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Linear(inputs.shape[1], 256), nn.ReLU(), nn.Linear(256, 2))
    x, y = torch.from_numpy(inputs), torch.from_numpy(own)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    for _ in range(epochs):
        for batch in torch.from_numpy(rng.permutation(trained_on)).split(50):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(x[batch]), y[batch]).backward()
            optimizer.step()
    pool = Pool(labels=own, member=member, held_out=held_out, validation=unseen)
    probe = AttributeInference()
    (queries,) = probe.observes
    asked = queries.choose(pool, np.random.default_rng(0))
    subject = Subject(
        name="audited", role="audited", network=network, embed=network[:-1], same_labels=True, modality="table"
    )
    index = torch.from_numpy(asked)
    seen = Observation(samples=asked, arrays=queries(subject, x[index], y[index], np.random.default_rng(1)))
    logits = network(x).detach().numpy()
    evidence = Evidence(
        pool=pool,
        classes=("no", "yes"),
        audited=answers(logits[None], own),
        population=Population(rows=(), answers=answers(np.zeros((0, *logits.shape)), own)),
        inputs=inputs,
        modality="table",
        feature_names=names,
        observations={queries: {"audited": seen}},
    )
    return probe(evidence, np.random.default_rng(2))


def rows(path: str, models: int, nulls: int) -> Iterator[str]:
    table, labels, names = adult(path)
    for random in (False, True):
        for epochs in EPOCHS:
            found = [audited(table, labels, names, epochs, seed, random=random) for seed in range(models)]
            excess, gain = (
                np.mean([100 * one[f"checkpoint.attribute_{what}"].value for one in found])
                for what in ("excess", "gain")
            )
            shown = sum(one.findings[0].code == "attribute_inference.leaks" for one in found)
            kind = "random" if random else "true"
            alarms = sum(
                audited(table, labels, names, epochs, 1000 + seed, random=random, null=True).findings[0].code
                == "attribute_inference.leaks"
                for seed in range(nulls)
            )
            yield (
                f"| {kind} | {epochs} | {excess:.1f} pp | {gain:.1f} pp | {shown} of {models} | {alarms} of {nulls} |"
            )


SMALL = ((80, 5), (80, 100), (150, 5))
"""Members, as many held out and as many that are trained on; and epochs."""


def small_alarms(each: int, epochs: int, nulls: int) -> int:
    """How many networks on random tables that trained on other records are said to give a column away."""
    place, alarms = np.arange(3 * each), 0
    for seed in range(nulls):
        table, labels = records(3000 + seed, 3 * each)
        found = audit(table, labels, place >= 2 * each, epochs, place < 2 * each)
        alarms += found.findings[0].code == "attribute_inference.leaks"
    return alarms


def main() -> None:
    if sys.argv[1] == "small":
        for each, epochs in SMALL:
            count = int(sys.argv[2])
            print(f"{each} and {each}, {epochs} epochs: {small_alarms(each, epochs, count)} of {count}", flush=True)
        return
    print("| labels | epochs | excess | gain | found | nulls |\n| --- | --- | --- | --- | --- | --- |")
    for row in rows(sys.argv[1], *(int(count) for count in (*sys.argv[2:], "10", "0")[:2])):
        print(row, flush=True)


if __name__ == "__main__":
    main()
