"""Group-sequential audits: look at the gate after some of the rounds, and stop once every check is decided.

Repeated judging at one level would err more often than the level states. So each look may spend only its share of the
gate's error: the power family of Kim & DeMets (1987), whose spending up to a share t of the rounds is α·t^ρ, spent look
by look as a union bound. This is valid for any dependence between looks and any distribution of estimates, as far as
each look's own p-values are valid; it costs the last look part of its level (it has 1 − t^ρ, with t of the look before
it).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from probes.message import Message
from probes.plan import Row
from reports.gate.thresholds import Gate
from reports.report import Json, Verdict

RHO = 2.0
"""With this exponent, little is spent early, and three quarters at the last look of doublings."""
FEWEST_ROUNDS = 2
"""With a single round, there are no stand-ins of another order."""
SETTLED = frozenset({"pass", "no-violation", "fail", "waived"})


@dataclass(frozen=True, kw_only=True)
class Look:
    """A look after this many of all `rounds`; `share` of the gate's error may be spent here."""

    after: int
    rounds: int
    share: float

    @property
    def last(self) -> bool:
        return self.after == self.rounds

    def rows(self, rows: Sequence[Row]) -> list[Row]:
        return [row for row in rows if row.repeat < self.after]

    def gate(self, gate: Gate) -> Gate:
        return dataclasses.replace(gate, level=1 - (1 - gate.level) * self.share)


def looks(rounds: int) -> list[Look]:
    """After two rounds, then at each doubling, and at the end."""
    after: list[int] = []
    while (FEWEST_ROUNDS << len(after)) < rounds:
        after.append(FEWEST_ROUNDS << len(after))
    after.append(rounds)
    spent = [0.0, *((n / max(1, rounds)) ** RHO for n in after[:-1]), 1.0]
    return [Look(after=n, rounds=rounds, share=b - a) for n, a, b in zip(after, spent, spent[1:], strict=False)]


def single(rounds: int) -> list[Look]:
    """A single look at the end, which spends everything."""
    return [Look(after=rounds, rounds=rounds, share=1.0)]


def gate_of(gate: Gate, audit: Mapping[str, Json]) -> Gate:
    """The gate for results that are judged again: those of a look are judged with the error that it may spend."""
    recorded = audit.get("sequential")
    share = recorded.get("share_of_error", 1.0) if isinstance(recorded, dict) else 1.0
    return dataclasses.replace(gate, level=1 - (1 - gate.level) * float(str(share)))


def decided(verdict: Verdict) -> bool:
    """Whether every check is decided, so that more rounds could not change any."""
    return bool(verdict.checks) and all(check.status in SETTLED for check in verdict.checks)


def described(look: Look, planned: Sequence[Look]) -> dict[str, Json]:
    """For the report, and for judging its results again with the same spending."""
    return {
        "method": f"alpha spending, power family (Kim & DeMets 1987) with exponent {RHO:g}, union bound over looks",
        "looks_after_rounds": [one.after for one in planned],
        "stopped_after_rounds": look.after,
        "share_of_error": look.share,
    }


def said(look: Look, planned: Sequence[Look]) -> Message:
    """What a reader must know."""
    if look.last:
        return Message("gate.looked", {"count": len(planned), "share": look.share})
    return Message("gate.stopped", {"after": look.after, "rounds": look.rounds, "share": look.share})
