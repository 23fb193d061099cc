"""What stands behind a claim of differential privacy: a search that it does not count, a model that learnt nothing."""

from __future__ import annotations

from probes.evidence import Evidence
from probes.message import Value
from probes.partial_result import Part, joined
from probes.result import Estimate, Finding, one_sided
from probes.statistics.paired import paired_mean


def claim_part(evidence: Evidence, level: float) -> Part:
    """Empty where nothing is claimed."""
    return joined((_search(evidence, level), _learnt(evidence, level)))


def _search(evidence: Evidence, level: float) -> Part:
    """Whoever chooses the best of k trainings releases the choice too: by basic composition (k ε, k δ)-DP."""
    claim = evidence.privacy
    if claim is None or claim.searched <= 1:
        return Part()
    total = claim.searched * claim.epsilon
    low, high = one_sided(total, "upper")
    estimate = Estimate(
        name="epsilon.claimed_of_search",
        value=total,
        low=low,
        high=high,
        level=level,
        n=claim.searched,
        unit="ε",
        better="lower",
        bound="upper",
    )
    values: dict[str, Value] = {
        "claimed": claim.epsilon,
        "searched": claim.searched,
        "total": total,
        "delta": claim.searched * claim.delta,
    }
    because = ("epsilon.claimed", estimate.name)
    finding = Finding(code="membership.dp-of-search", severity="medium", because=because, values=values)
    return Part(estimates=(estimate,), findings=(finding,))


def _learnt(evidence: Evidence, level: float) -> Part:
    """Whether a private training brought its own members anything: an adapter that noise made useless keeps every
    secret, and its ε says nothing about one that is used."""
    claim, sequences = evidence.privacy, evidence.sequences
    if claim is None or sequences is None or sequences.base is None:
        return Part()
    loss = [-one.average(one.log_prob)[0, evidence.pool.member] for one in (sequences.base, sequences.own)]
    gain = paired_mean("members.gain_over_base", loss[0] - loss[1], level=level, unit="nats a token", better="higher")
    if gain.low > 0:
        return Part(estimates=(gain,))
    values: dict[str, Value] = {
        "claimed": claim.epsilon,
        "gain": gain.value,
        "low": gain.low,
        "high": gain.high,
        "n": gain.n,
    }
    finding = Finding(
        code="membership.dp-learnt-nothing", severity="medium", because=(gain.name, "epsilon.claimed"), values=values
    )
    return Part(estimates=(gain,), findings=(finding,))
