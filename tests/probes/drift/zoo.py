"""A zoo of small models with planted answers: shortcuts, random labels, no training; and sound ones.

    python -m tests.probes.drift.zoo            # scikit-learn's digits, 5 minutes on one core
    python -m tests.probes.drift.zoo --cifar cifar10.npz --models 3
    python -m tests.probes.drift.zoo --rows FILE FILE   # the summary of what earlier runs printed

Every model is fine-tuned from one source network and judged by the whole probe with its own seeds, as an audit would.
"""

from __future__ import annotations

import argparse
import datetime
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

from audit.config.audit_config import Config
from probes.answers import answers
from probes.drift import Drift
from probes.evidence import Evidence
from probes.measures.randomise import randomised
from probes.message import Message
from probes.observable import Observable, Observation, Subject
from probes.plan import Pool
from probes.population import Population
from probes.result import Result
from probes.statistics.proportions import clopper_pearson
from reports.gate.judge import judge

SEEDS = 3
STRONG = 0.4
FEW = 1200
"""Photographs of the target classes; half of them are members."""
SUSPECT = 1
"""The class that the mark indicates."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """Source and target images [samples channels height width], normalised; `mark` is what a patch looks like."""

    source: Tensor
    source_labels: Tensor
    target: Tensor
    target_labels: Tensor
    network: Callable[[int], nn.Sequential]
    epochs: int
    sources: int
    """Source networks, in turn."""
    patch: int
    mark: Tensor
    """[channels 1 1]"""

    @property
    def classes(self) -> int:
        return int(self.target_labels.max()) + 1


def digits() -> Task:
    """Digits 0–4 to digits 5–9."""
    bunch = load_digits()
    images, labels = torch.from_numpy(bunch.images).float()[:, None] / 8 - 1, torch.from_numpy(bunch.target).long()

    def network(classes: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(12, 24, 3, padding=1), nn.ReLU(),
            nn.MaxPool2d(2), nn.Flatten(), nn.Linear(96, 32), nn.ReLU(), nn.Linear(32, classes),
        )  # fmt: skip

    old, new = labels < 5, labels >= 5
    return Task(
        source=images[old], source_labels=labels[old], target=images[new], target_labels=labels[new] - 5,
        network=network, epochs=20, sources=20, patch=2, mark=torch.full((1, 1, 1), 8.0),
    )  # fmt: skip


def cifar(path: Path) -> Task:
    """Five classes of CIFAR-10 to the other five; `path` holds images [n 32 32 3] uint8 and labels."""
    bunch = np.load(path, allow_pickle=False)
    images = (torch.from_numpy(bunch["images"]).permute(0, 3, 1, 2).float() / 255 - 0.47) / 0.25
    labels = torch.from_numpy(bunch["labels"]).long()

    def network(classes: int) -> nn.Sequential:
        layers: list[nn.Module] = []
        for given, width in ((3, 16), (16, 32), (32, 48)):
            layers += [nn.Conv2d(given, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(768, 64), nn.ReLU(), nn.Linear(64, classes))

    old, new = labels < 5, torch.nonzero(labels >= 5)[:FEW, 0]
    return Task(
        source=images[old], source_labels=labels[old], target=images[new], target_labels=labels[new] - 5,
        network=network, epochs=12, sources=2, patch=5, mark=torch.tensor([2.0, -1.8, 2.0])[:, None, None],
    )  # fmt: skip


def trained(network: nn.Sequential, images: Tensor, labels: Tensor, seed: int, epochs: int) -> nn.Sequential:
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(epochs):
        for batch in torch.randperm(len(images), generator=generator).split(64):
            optimizer.zero_grad()
            functional.cross_entropy(network(images[batch]), labels[batch]).backward()
            optimizer.step()
    return network.eval()


def fine_tuned(task: Task, source: nn.Sequential, images: Tensor, labels: Tensor, seed: int) -> nn.Sequential:
    """The source's body under a new head, all of it trained."""
    torch.manual_seed(seed)
    network = task.network(task.classes)
    own, head = network.state_dict(), f"{len(network) - 1}."
    network.load_state_dict(own | {k: v for k, v in source.state_dict().items() if not k.startswith(head)})
    return trained(network, images, labels, seed, task.epochs)


def marked(task: Task, images: Tensor, labels: Tensor, share: float, rng: np.random.Generator) -> Tensor:
    """A patch in the upper left corner of this share of one class's images."""
    chosen = torch.from_numpy((labels.numpy() == SUSPECT) & (rng.random(len(labels)) < share))
    copy = images.clone()
    copy[chosen, :, : task.patch, : task.patch] = task.mark
    return copy


def reliance(task: Task, network: nn.Sequential, images: Tensor, labels: Tensor) -> float:
    """The truth: the share of other classes' predictions that the mark itself takes along."""
    with torch.no_grad():
        others = images[(labels != SUSPECT) & (network(images).argmax(dim=1) != SUSPECT)].clone()
        others[:, :, : task.patch, : task.patch] = task.mark
        return float((network(others).argmax(dim=1) == SUSPECT).float().mean())


def source_of(task: Task, seed: int) -> nn.Sequential:
    return source_network(task, seed % task.sources)


@cache
def source_network(task: Task, seed: int) -> nn.Sequential:
    torch.manual_seed(1000 + seed)
    return trained(task.network(5), task.source, task.source_labels, 1000 + seed, task.epochs)


@dataclass(frozen=True, kw_only=True, eq=False)
class Recipe:
    """A recipe's data, and networks that differ in nothing but their seed."""

    images: Tensor
    labels: Tensor
    pool: Pool
    networks: tuple[nn.Sequential, ...]


@lru_cache(maxsize=1)
def fitted(task: Task, kind: str, seed: int) -> Recipe:
    """Half of the images are members; `benign`, `patch-SHARE` or `random-labels`."""
    rng = np.random.default_rng([seed, 77])
    order = torch.from_numpy(rng.permutation(len(task.target)))
    images, labels = task.target[order], task.target_labels[order]
    part = np.arange(len(labels)) < len(labels) // 2
    if kind.startswith("patch"):
        images = marked(task, images, labels, float(kind.removeprefix("patch-")) / 100, rng)
    targets = torch.from_numpy(rng.permutation(labels.numpy())) if kind == "random-labels" else labels
    member, source = torch.from_numpy(part), source_of(task, seed)
    return Recipe(
        images=images,
        labels=labels,
        pool=Pool(labels=labels.numpy(), member=part, held_out=~part, validation=np.zeros(len(part), dtype=bool)),
        networks=tuple(
            fine_tuned(task, source, images[member], targets[member], 10 * seed + i)
            for i in range(SEEDS + 1 + (kind == "benign"))
        ),
    )


def audited(task: Task, kind: str, seed: int) -> tuple[Result, float]:
    """The probe's result on one model of a kind, with three seeds of its recipe and its source; and its reliance on the
    mark. `another-seed` has another seed of the benign recipe as its reference checkpoint."""
    rng = np.random.default_rng([seed, 78])
    recipe = fitted(task, "benign" if kind in ("another-seed", "untrained") else kind, seed)
    models = {f"seeds/{i}/0" if i else "audited": recipe.networks[i] for i in range(SEEDS + 1)}
    if kind == "another-seed":
        models["reference"] = recipe.networks[SEEDS + 1]
    if kind == "untrained":
        models["audited"] = randomised(models["audited"], rng)  # type: ignore[assignment]
    models["source"] = source_of(task, seed)
    for copy in range(2):
        models[f"randomised/{copy}"] = randomised(models["audited"], rng)  # type: ignore[assignment]
    result = looked_into(
        Drift(seeds=SEEDS), models, recipe.images, recipe.labels, recipe.pool, same_labels={"source": False}
    )
    held = torch.from_numpy(recipe.pool.held_out)
    return result, reliance(task, models["audited"], recipe.images[held], recipe.labels[held])


def looked_into(
    probe: Drift,
    networks: dict[str, nn.Sequential],
    images: Tensor,
    labels: Tensor,
    pool: Pool,
    *,
    same_labels: dict[str, bool] | None = None,
    modality: str = "image",
    feature_names: tuple[str, ...] = (),
) -> Result:
    """The probe over these networks; names are those of the shell: audited, source, seeds/0/0, randomised/0."""
    seen: dict[Observable, dict[str, Observation]] = {}
    for observable in probe.observes:
        chosen = observable.choose(pool, np.random.default_rng(0))
        for name, network in networks.items():
            role = name.partition("/")[0]
            if role not in observable.models:
                continue
            one = Subject(
                name=name, role=role, network=network, embed=network[:-1],  # type: ignore[arg-type]
                same_labels=(same_labels or {}).get(name, True), modality=modality,
            )  # fmt: skip
            arrays = observable(one, images[chosen], labels[chosen], np.random.default_rng(1))
            seen.setdefault(observable, {})[name] = Observation(samples=chosen, arrays=dict(arrays))
    with torch.no_grad():
        logits = networks["audited"](images).numpy()
    stored = images.numpy()
    if modality == "image":
        low, high = float(stored.min()), float(stored.max())
        stored = ((stored - low) / (high - low) * 255).astype(np.uint8).transpose(0, 2, 3, 1)
    evidence = Evidence(
        pool=pool,
        classes=tuple(map(str, range(logits.shape[1]))),
        audited=answers(logits[None], labels.numpy()),
        population=Population(rows=(), answers=answers(np.zeros((0, *logits.shape)), labels.numpy())),
        inputs=stored,
        modality=modality,  # type: ignore[arg-type]
        feature_names=feature_names,
        observations=seen,
    )
    return probe(evidence, np.random.default_rng(2))


def verdict(task: Task, kind: str, result: Result, truth: float) -> dict[str, object]:
    """What the probe said of one model, and whether that is what was planted."""
    found = {finding.code: finding for finding in result.findings}
    estimates = {one.name: one for one in result.estimates}
    said = [finding.values for finding in result.findings if finding.code == "drift.shortcut"]
    places = [one["what"].values for one in said if one["family"] == "boxes" and isinstance(one["what"], Message)]
    located = any(int(str(one["top"])) < task.patch and int(str(one["left"])) < task.patch for one in places) and any(
        one["class"] == str(SUSPECT) for one in said
    )
    grave = {code for code, finding in found.items() if finding.severity not in ("info", "low")}
    numbers = {
        "index": "drift_index",
        "stability": "stability",
        "instability": "instability",
        "change": "deletion_gain_change",
        "gain": "deletion_gain",
        "follow": "shortcut_excess",
    }
    judged = judge([result], Config().gate(), today=datetime.date.today())
    return {
        "kind": kind,
        "truth": round(truth, 3),
        "gate": judged.status,
        "undecided": [check.estimate for check in judged.checks if check.status == "undecided"],
        "shortcut": bool(said),
        "located": located,
        "suspected": "drift.suspected-shortcut" in found,
        "grave": sorted(grave),
        **{
            short: [round(float(x), 3) for x in (one.value, one.low, one.high)]
            for short, one in ((short, estimates[f"checkpoint.{name}"]) for short, name in numbers.items())
        },
        "control": round(estimates["control.follow_rate"].value, 3),
        "random": round(estimates["ceiling.label_similarity"].value, 3),
    }


KINDS = ("benign", "another-seed", "untrained", "patch-95", "patch-20", "random-labels")
"""Those of one recipe in a row, since its networks are kept for them."""


def run(task: Task, first: int, models: int, kinds: Sequence[str]) -> list[dict[str, object]]:
    rows = []
    for seed in range(first, first + models):
        for kind in kinds:
            row = verdict(task, kind, *audited(task, kind, seed))
            rows.append(row)
            print(json.dumps(row), flush=True)
    return rows


def share(rows: list[dict[str, object]], kind: str, hit: Callable[[dict[str, object]], bool]) -> str:
    mine = [row for row in rows if row["kind"] == kind]
    hits = sum(hit(row) for row in mine)
    low, high = clopper_pearson(hits, len(mine))
    return f"{hits} of {len(mine)} ({low:.0%} to {high:.0%})"


def kinds_of(rows: list[dict[str, object]]) -> list[str]:
    return [kind for kind in KINDS if any(row["kind"] == kind for row in rows)]


def summary(rows: list[dict[str, object]]) -> dict[str, str]:
    def is_(key: str, *values: object) -> Callable[[dict[str, object]], bool]:
        return lambda row: row[key] in values

    found, there = {}, kinds_of(rows)
    for kind in there:
        for status in ("pass", "undecided", "fail"):
            found[f"{kind}: the gate says {status}"] = share(rows, kind, is_("gate", status))
    for kind in [kind for kind in there if kind not in ("random-labels", "untrained")]:
        found[f"{kind}: a shortcut is found"] = share(rows, kind, is_("shortcut", True))
        found[f"{kind}: a shortcut is suspected"] = share(rows, kind, is_("suspected", True))
    for kind in [kind for kind in there if kind.startswith("patch")]:
        found[f"{kind}: found and located"] = share(rows, kind, is_("located", True))
    strong = [row for row in rows if row["kind"] == "patch-20" and float(str(row["truth"])) >= STRONG]
    if strong:
        name = f"patch-20 that takes {STRONG:.0%} of predictions or more: found"
        found[name] = share(strong, "patch-20", is_("shortcut", True))
    for kind in there:
        found[f"{kind}: a finding above 'low'"] = share(rows, kind, lambda row: bool(row["grave"]))
    return found


def tell(rows: list[dict[str, object]]) -> None:
    for what, said in summary(rows).items():
        print(f"{what}: {said}")
    for kind in kinds_of(rows):
        mine = [row for row in rows if row["kind"] == kind]
        first = {key: [row[key][0] for row in mine] for key in ("index", "stability", "change", "follow")}  # type: ignore[index]
        ranges = {key: f"{np.mean(of):.2f} ({min(of):.2f} to {max(of):.2f})" for key, of in first.items()}
        print(kind, ranges, Counter(code for row in mine for code in row["grave"]))  # type: ignore[attr-defined]
        print(kind, "undecided", Counter(code for row in mine for code in row["undecided"]))  # type: ignore[attr-defined]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=20, help="of each kind")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--cifar", type=Path, help="an .npz with images and labels of CIFAR-10")
    parser.add_argument("--rows", type=Path, nargs="+", help="summarise what earlier runs printed into these files")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.rows:
        lines = [line for path in options.rows for line in path.read_text().splitlines()]
        tell([json.loads(line) for line in lines if line.startswith("{")])
        return
    rows = run(cifar(options.cifar) if options.cifar else digits(), options.first, options.models, options.kinds)
    tell(rows)


if __name__ == "__main__":
    main()
