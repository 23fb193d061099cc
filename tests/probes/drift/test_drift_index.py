"""The index between floor and ceiling, and the methods that are left out of the verdict."""

from __future__ import annotations

import numpy as np
import pytest

from probes.answers import answers
from probes.drift.drift_index import Placed, drift_index, p_above_floor, place
from probes.drift.explanation_quality import explanation_quality, fit_methods, stability
from probes.drift.observables.attribution import Target
from probes.drift.observables.faithfulness import SHARES
from probes.drift.observables.maps_by_model import Seen
from probes.drift.reference_drift import reference_drift
from probes.drift.sanity_check import DEPTHS
from probes.evidence import Evidence
from probes.observable import Observation
from probes.plan import Pool
from probes.population import Population
from probes.texts import said

SAMPLES = np.arange(24)


def placed(at: float, rng: np.random.Generator, samples: int = 24) -> Placed:
    """True index `at`, between similarities of 0.8 and 0."""
    draw = lambda mean: mean + 0.15 * rng.normal(size=samples)  # noqa: E731
    return Placed(reference=draw(0.8 - 0.8 * at), floor=draw(0.8), ceiling=draw(0.0))


@pytest.mark.parametrize("samples", [8, 24])
def test_the_interval_covers(samples: int) -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(300):
        estimate = drift_index("index", placed(0.3, rng, samples), rng, 0.95)
        hits += estimate.low <= 0.3 <= estimate.high
    assert hits / 300 > 0.92


def test_the_p_value_is_uniform_at_the_floor() -> None:
    rng = np.random.default_rng(1)
    small = np.mean([p_above_floor(placed(0.0, rng), rng)[0] <= 0.1 for _ in range(400)])
    assert small == pytest.approx(0.1, abs=0.04)
    assert p_above_floor(placed(0.5, rng), rng)[0] < 0.001


def test_floor_is_seeds_among_each_other_and_ceiling_random_against_the_reference() -> None:
    rng = np.random.default_rng(2)
    base, random = rng.normal(size=(2, 24, 6, 6))
    seeds = [base + 0.1 * rng.normal(size=base.shape) for _ in range(3)]
    audited, reference = base + 0.1 * rng.normal(size=base.shape), base + 0.1 * rng.normal(size=base.shape)
    another = place(audited, reference, seeds, [random], "signed cosine")
    assert drift_index("index", another, rng, 0.95).value == pytest.approx(0, abs=0.02)
    untrained = place(rng.normal(size=base.shape), reference, seeds, [random], "signed cosine")
    assert drift_index("index", untrained, rng, 0.95).value == pytest.approx(1, abs=0.1)
    one_seed = place(audited, reference, seeds[:1], [random], "signed cosine")
    assert one_seed.floor == pytest.approx(place(audited, seeds[0], seeds, [random], "signed cosine").reference)


def test_an_index_without_room_between_floor_and_ceiling_has_a_caveat() -> None:
    rng = np.random.default_rng(3)
    close = Placed(reference=rng.random(24), floor=np.full(24, 0.5), ceiling=np.full(24, 0.48))
    assert "is meaningless" in said(drift_index("index", close, rng, 0.95).caveat)
    assert "too few" in said(drift_index("index", placed(0.3, rng, 4), rng, 0.95).caveat)


def maps_seen(rng: np.random.Generator, shared: np.ndarray) -> dict[str, Observation]:
    """Maps of all models: a common part, of this weight a sample, and noise of their own; random weights share none."""
    common = rng.normal(size=(len(shared), 6, 6)) * shared[:, None, None]
    maps = {name: common + rng.normal(size=common.shape) for name in ("audited", "source", "seeds/0/0", "seeds/1/0")}
    maps["randomised/0"] = rng.normal(size=common.shape)
    samples = np.arange(len(shared))
    return {name: Observation(samples=samples, arrays={"maps/m": array}) for name, array in maps.items()}


@pytest.mark.parametrize(("reference", "spread"), [(-0.9, 0.05), (0.3, 3.0)])
def test_an_index_at_its_limits_or_anywhere_between_them_is_undecided(reference: float, spread: float) -> None:
    """Grad-CAM's often is."""
    rng = np.random.default_rng(5)
    draw = lambda mean, by: mean + by * rng.normal(size=24)  # noqa: E731
    far = Placed(reference=draw(reference, spread), floor=draw(0.6, 0.05), ceiling=draw(0.3, 0.05))
    found = drift_index("index", far, rng, 0.95)
    assert found.caveat is not None
    assert "undecided" in said(found.caveat)


def test_nothing_is_claimed_where_there_is_no_room_for_an_index() -> None:
    """Seeds that are as unlike as random weights: neither 'as another seed would' nor 'moved'."""
    rng, samples = np.random.default_rng(6), 24
    labels = np.arange(samples) % 3
    held = np.arange(samples) > 0
    evidence = Evidence(
        pool=Pool(labels=labels, member=~held, held_out=held, validation=np.zeros(samples, dtype=bool)),
        classes=("a", "b", "c"),
        audited=answers(rng.normal(size=(1, samples, 3)), labels),
        population=Population(rows=(), answers=answers(np.zeros((0, samples, 3)), labels)),
        inputs=np.zeros((samples, 6, 6, 1), dtype=np.uint8),
        modality="image",
    )
    seen: dict[Target, Seen] = {"embedding": maps_seen(rng, np.zeros(samples)), "label": {}}
    part = reference_drift(evidence, seen, ("m",), rng, 0.95)
    assert not part.findings
    assert any("cannot be placed" in said(note) for note in part.notes)
    seen["embedding"] = maps_seen(rng, np.full(samples, 2.0))
    assert [finding.code for finding in reference_drift(evidence, seen, ("m",), rng, 0.95).findings] == ["drift.benign"]


def test_instability_is_claimed_of_what_is_surely_unstable() -> None:
    """Noise is; two samples that agree in the mean are too few to say so."""
    rng = np.random.default_rng(7)
    codes = [finding.code for finding in stability(maps_seen(rng, np.full(24, 0.3)), ("m",), rng, 0.95).findings]
    assert codes == ["drift.unstable"]
    few = stability(maps_seen(rng, np.array([6.0, 0.0])), ("m",), rng, 0.95)
    assert few.estimates[0].value > 0.4
    assert not few.findings


def test_a_method_that_does_not_notice_random_weights_carries_no_verdict() -> None:
    rng = np.random.default_rng(4)
    maps = rng.normal(size=(24, 6, 6))
    arrays = {"maps/edges": maps, "maps/fit": maps}
    for stage in range(len(DEPTHS)):
        arrays[f"{stage}/maps/edges"] = maps + 0.2 * rng.normal(size=maps.shape)
        arrays[f"{stage}/maps/fit"] = rng.normal(size=maps.shape)
    seen = {"audited": Observation(samples=SAMPLES, arrays=arrays)}
    fit, part = fit_methods(seen, ("edges", "fit"), rng, 0.95)
    assert fit == ["fit"]
    assert [finding.values["method"] for finding in part.findings] == ["edges"]
    falling = np.tile(1 - np.array(SHARES), (24, 1)) ** 4 + 0.02 * rng.normal(size=(24, len(SHARES)))
    curves = {"deletion_at_random": 1 - 0 * falling, "insertion_at_random": 0 * falling}
    curves |= {"edges/deletion": 1 - 0 * falling, "edges/insertion": 0 * falling}
    curves |= {"fit/deletion": falling, "fit/insertion": 1 - falling}
    quality = {"audited": Observation(samples=SAMPLES, arrays=curves)}
    judged = explanation_quality(quality, ("edges", "fit"), fit, rng, 0.95)
    assert [finding.code for finding in judged.findings] == ["drift.reasons"]
    assert judged.estimates[0].low > 0.1
    assert judged.estimates[0].caveat is None
    unjudged = explanation_quality(quality, ("edges",), fit, rng, 0.95)
    assert not unjudged.findings
    assert all("random weights" in said(estimate.caveat) for estimate in unjudged.estimates)


@pytest.mark.parametrize(("theirs", "code"), [(0.0, "drift.worse-explanations"), (0.5, "drift.worse-than-source")])
def test_worse_explanations_are_found(theirs: float, code: str) -> None:
    """No better than random order; or much less than the source's own."""
    rng = np.random.default_rng(5)
    shape = (24, len(SHARES))

    def curves(gain: float) -> Observation:
        noise = 0.03 * rng.normal(size=shape)
        arrays = {"m/deletion": 0.8 - gain + noise, "deletion_at_random": np.full(shape, 0.8)}
        arrays |= {"m/insertion": np.full(shape, gain), "insertion_at_random": np.zeros(shape)}
        return Observation(samples=SAMPLES, arrays=arrays)

    own = 0.0 if code == "drift.worse-explanations" else 0.15
    seen = {"audited": curves(own - 0.05 if own == 0 else own), "source": curves(theirs)}
    assert [finding.code for finding in explanation_quality(seen, ("m",), ["m"], rng, 0.95).findings] == [code]


def test_rounding_is_not_drift() -> None:
    """Of a frozen backbone every similarity is one but for the last bits, all on one side."""
    floor = np.ones(40)
    placed = Placed(reference=floor - 1e-7, floor=floor, ceiling=np.zeros(40))
    assert p_above_floor(placed, np.random.default_rng(0))[0] > 0.5
