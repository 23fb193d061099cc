"""Rules that hold for every family of shortcuts, those of other packages too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from audit.self_check.samples import coloured, letters, loans
from probes.answers import answers
from probes.drift.shortcuts.estimates import judged
from probes.drift.shortcuts.excess import EXCESS
from probes.drift.shortcuts.family import FAMILIES, Candidate, Family, Names, Samples
from probes.drift.shortcuts.findings import shortcuts
from probes.drift.shortcuts.search import ShortcutSearch
from probes.evidence import Evidence, Modality
from probes.message import Text
from probes.observable import Observation, Subject
from probes.partial_result import Part
from probes.plan import Pool
from probes.population import Population
from probes.texts import said
from tests.probes.drift.shortcut_zoo.data import tones
from tests.probes.drift.shortcut_zoo.plants import at


@dataclass(frozen=True, kw_only=True)
class Theirs(Family):
    """Of another package: the first column's sign."""

    name: ClassVar[str] = "theirs"
    modalities: ClassVar[tuple[Modality, ...]] = ("table",)

    def propose(self, seen: Samples, rng: np.random.Generator) -> Sequence[Candidate]:
        return tuple(Candidate(int(label)) for label in np.unique(seen.labels))

    def transplant(self, candidate: Candidate, hosts: Tensor, donors: Samples, rng: np.random.Generator) -> Tensor:
        return torch.cat([donors.inputs[:, :1].sign() * hosts[:, :1].abs(), hosts[:, 1:]], dim=1)

    def where(self, candidate: Candidate, names: Names) -> Text:
        return "the sign of the first column"


EVERY = (*FAMILIES.all().values(), Theirs())
MADE: dict[str, Callable[[], object]] = {"image": coloured, "table": loans, "text": letters, "audio": tones}


def samples(family: Family) -> Samples:
    """Ready for any family: a table with an identifier and an imputed value, attributions where there can be any."""
    modality = family.modalities[0]
    data = MADE[modality]()
    inputs, labels = data.inputs[:120].clone(), data.labels[:120].numpy()  # type: ignore[attr-defined]
    if modality == "table":
        inputs = at(inputs, slice(1, 2), torch.arange(120.0)[torch.randperm(120, generator=torch.Generator())][:, None])
        inputs[::5, 2] = -3.5
    mass = None
    if modality in ("image", "table"):
        # The first values of each image or row.
        shape = (120, *inputs.shape[2:]) if modality == "image" else tuple(inputs.shape)
        mass = np.random.default_rng(0).random(shape)
        mass /= mass.reshape(120, -1).sum(axis=1).reshape(120, *[1] * (mass.ndim - 1))
    return Samples(inputs=inputs, labels=labels, mass=mass)


@pytest.mark.parametrize("family", EVERY, ids=lambda one: one.name)
def test_a_transplant_has_the_hosts_shape_and_its_place_is_described_in_both_languages(family: Family) -> None:
    seen, rng = samples(family), np.random.default_rng(1)
    proposed = family.propose(seen, rng)
    if family.name == "properties":
        proposed = proposed or [Candidate(1, (0.0,))]
    assert proposed
    candidate = proposed[0]
    own, other = (np.flatnonzero((seen.labels == candidate.label) == side)[:6] for side in (True, False))
    hosts = seen.inputs[torch.from_numpy(other)]
    before = hosts.clone()
    for donors in (own, other[::-1].copy()):
        changed = family.transplant(candidate, hosts, seen.at(np.resize(donors, len(other))), np.random.default_rng(2))
        assert torch.equal(hosts, before)
        assert (changed.shape, changed.dtype) == (hosts.shape, hosts.dtype)
        assert torch.isfinite(changed.double()).all()
    assert family.strength(candidate, seen).shape == (120,)
    place = family.where(candidate, Names(size=(24, 24)))
    assert said(place, "en")
    assert said(place, "zh")


def test_a_family_of_another_package_is_searched_judged_and_named_like_ours() -> None:
    part = told(strength=6.0)
    assert [one.code for one in part.findings][:1] == ["drift.shortcut"]
    assert said(part.findings[0].values["what"], "zh") == "the sign of the first column"  # type: ignore[arg-type]
    none = told(strength=0.1)
    (finding,) = [one for one in none.findings if one.code == "drift.no-shortcut"]
    assert [said(one) for one in finding.values["families"]] == ["theirs"]  # type: ignore[union-attr]


@pytest.mark.parametrize("strength", [0.1, 0.3, 0.5, 0.7, 6.0])
def test_finding_and_gate_have_one_estimate_one_level_and_one_bound(strength: float) -> None:
    """For any model: a finding says 'decides' exactly where the gate's interval is beyond the gate's bound."""
    part = told(strength)
    (excess,) = [one for one in part.estimates if one.name == EXCESS]
    codes = {one.code for one in part.findings}
    assert ("drift.shortcut" in codes) == (excess.low > ShortcutSearch().bound)
    assert ("drift.no-shortcut" in codes) <= (excess.low <= ShortcutSearch().bound)
    assert all(EXCESS in one.because for one in part.findings)
    follow, control = (one.value for one in part.estimates[1:3])
    assert excess.value == pytest.approx(follow - control)


@dataclass(frozen=True, kw_only=True)
class Wholes(Theirs):
    """The same, as the last candidate of class 1, behind seven wholes that hold it and do no more than it does."""

    def propose(self, seen: Samples, rng: np.random.Generator) -> Sequence[Candidate]:
        return (*(Candidate(1, (7.0, float(other))) for other in range(7)), Candidate(1, (7.0,)))

    def parts(self, candidate: Candidate) -> tuple[Candidate, ...]:
        return (Candidate(1, candidate.place[:1]),) if len(candidate.place) > 1 else ()


def test_wholes_that_do_no_more_than_their_part_do_not_exclude_it() -> None:
    foremost = judged(searched(6.0, 0, Wholes()), 0.95, ShortcutSearch().bound).tried[0]
    assert foremost.candidate == Candidate(1, (7.0,))
    assert foremost.excess.low > 0.5


@dataclass(frozen=True, kw_only=True)
class Lengths(Theirs):
    """The same; its places are of one number or of two, as a word and a pair of words are."""

    def propose(self, seen: Samples, rng: np.random.Generator) -> Sequence[Candidate]:
        return (Candidate(0, (7.0,)), Candidate(1, (8.0, 9.0)))


def test_places_of_a_family_may_differ_in_length() -> None:
    arrays = searched(6.0, 0, Lengths())
    found = judged(arrays, 0.95, ShortcutSearch().bound).tried
    assert {one.candidate.place for one in found} == {(7.0,), (8.0, 9.0)}


def test_a_seed_draws_other_samples_hosts_and_donors() -> None:
    arrays = [searched(1.0, seed) for seed in (0, 0, 1)]
    counts = [one["theirs.paired"].tolist() for one in arrays]
    assert counts[0] == counts[1] != counts[2]
    search, pool = ShortcutSearch(samples=80, most=100), pool_of(400)
    chosen = [search.choose(pool, np.random.default_rng(seed)).tolist() for seed in (0, 0, 1)]
    assert chosen[0] == chosen[1] != chosen[2]


def pool_of(count: int) -> Pool:
    labels, member = np.arange(count) % 2, np.arange(count) % 4 < 2
    return Pool(labels=labels, member=member, held_out=~member, validation=np.zeros(count, dtype=bool))


def table_of(count: int = 400) -> Tensor:
    """In class 1 the first column is above 0, in class 0 below."""
    table = torch.from_numpy(np.random.default_rng(3).normal(size=(count, 3))).float()
    table[:, 0] = table[:, 0].abs().clamp(min=0.2) * torch.from_numpy(2.0 * (np.arange(count) % 2) - 1)
    return table


def subject(strength: float) -> Subject:
    """Leans on the first column's sign so much, and on the others."""
    network = nn.Sequential(nn.Hardtanh(-2, 2), nn.Linear(3, 2))
    with torch.no_grad():
        network[1].weight.copy_(torch.tensor([[0.0, 0.0, 0.0], [strength, 1.0, 1.0]]))
        network[1].bias.zero_()
    network.requires_grad_(False)
    return Subject(name="audited", role="audited", network=network, embed=network, modality="table", same_labels=True)


def searched(strength: float, seed: int, family: Family | None = None) -> dict[str, np.ndarray]:
    search = ShortcutSearch(families=(family or Theirs(),))
    pool = pool_of(400)
    order = torch.from_numpy(np.concatenate([np.flatnonzero(pool.member), np.flatnonzero(pool.held_out)]))
    labels = torch.from_numpy(pool.labels)[order]
    return dict(search(subject(strength), table_of()[order], labels, np.random.default_rng(seed)))


def told(strength: float) -> Part:
    pool, arrays = pool_of(400), searched(strength, 0)
    assert judged(arrays, 0.95, ShortcutSearch().bound).tried
    nobody, own = (answers(np.zeros((models, 400, 2)), pool.labels) for models in (0, 1))
    evidence = Evidence(
        pool=pool,
        classes=("no", "yes"),
        audited=own,
        population=Population(rows=(), answers=nobody),
        inputs=table_of().numpy(),
        modality="table",
    )
    order = np.concatenate([np.flatnonzero(pool.member), np.flatnonzero(pool.held_out)])
    seen = {"audited": Observation(samples=order, arrays=arrays)}
    return shortcuts(evidence, ShortcutSearch(families=(Theirs(),)), seen, np.random.default_rng(4), 0.95)
