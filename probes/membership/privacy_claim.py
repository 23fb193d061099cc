"""Weaknesses of a claim of differential privacy: a search that the claim does not count, and a model that learnt
nothing."""

from __future__ import annotations

from probes.evidence import Evidence
from probes.message import Value
from probes.partial_result import Part, joined
from probes.result import Estimate, Finding, one_sided
from probes.statistics.paired import paired_mean


def claim_part(evidence: Evidence, level: float) -> Part:
    """Empty if nothing is claimed."""
    return joined((_search(evidence, level), _learnt(evidence, level)))


def _search(evidence: Evidence, level: float) -> Part:
    """Choosing the best of k trainings releases the choice too: by basic composition, the result is (k ε, k δ)-DP."""
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
    """Whether private training improved the model on its own members: an adapter made useless by noise reveals nothing,
    and its ε is no evidence about a useful one."""
    claim, sequences = evidence.privacy, evidence.sequences
    if claim is None or sequences is None or sequences.base is None:
        return Part()
    loss = [-one.average(one.log_prob)[0, evidence.pool.member] for one in (sequences.base, sequences.own)]
    gain = paired_mean("members.gain_over_base", loss[0] - loss[1], level=level, unit="nats per token", better="higher")
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
