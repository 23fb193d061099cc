"""Whether the fine-tuned model still reveals which records its source was trained on (TMI, Abascal et al., PoPETs
2024)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from probes.message import Message
from probes.observable import Observation
from probes.partial_result import Part
from probes.result import Finding
from probes.statistics.roc import auc

TELLS = 0.6


def source_members(seen: Mapping[str, Observation], level: float) -> Part:
    """`source_members.auc`: the loss of the source's head on the audited embedding as a score of membership in the
    source's training set, DeLong's interval. A simple attack: a lower bound on the remaining leakage."""
    audited = seen.get("audited")
    if audited is None or "log_prob" not in audited.arrays:
        return Part(notes=(Message("inheritance.no-source-data"),))
    member = audited.arrays["member"].astype(bool)
    if min(int(member.sum()), int((~member).sum())) < 2:
        return Part(notes=(Message("inheritance.no-source-data"),))
    estimate = auc(audited.arrays["log_prob"].astype(np.float64), member, name="source_members.auc", level=level)
    tells = estimate.low > 0.5
    finding = Finding(
        code="inheritance.tells-source-members" if tells else "inheritance.source-members-not-told",
        severity=("medium" if estimate.low > TELLS else "low") if tells else "info",
        because=(estimate.name,),
        values={"auc": estimate.value, "low": estimate.low, "high": estimate.high},
    )
    return Part(estimates=(estimate,), findings=(finding,))
