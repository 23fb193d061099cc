"""Held-out samples that the source model may have been trained on."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

from probes.contamination.near_pictures import copies_between
from probes.evidence import Evidence
from probes.measures.exact_duplicates import together
from probes.message import Message
from probes.partial_result import Part
from probes.result import Estimate, Finding, Table
from probes.statistics.proportions import proportion

LISTED = 300


def source_overlap(evidence: Evidence, level: float, *, near: bool) -> Part:
    """Exact copies of held-out samples in the source task's data, and near ones where images have one size.

    evidence  the audited model's samples and answers
    level     two-sided coverage of the interval, in (0, 1)
    near      whether near copies are looked for too

    Returns the section; an empty one where that data is not available.
    """
    source = evidence.source_inputs
    if source is None or not len(source) or source.shape[1:] != evidence.inputs.shape[1:]:
        return Part()
    own, theirs = together(evidence.inputs, source)
    copied = np.isin(own, theirs)
    place: dict[int, int] = {int(number): position for position, number in reversed(list(enumerate(theirs)))}
    pairs = [(int(i), place[int(own[i])], "exact") for i in np.flatnonzero(copied)]
    if near and evidence.modality == "image" and evidence.inputs.ndim == 4:
        for i, j in copies_between(evidence.inputs, source):
            if not copied[i]:
                pairs.append((int(i), int(j), "near"))
    held_out = evidence.pool.held_out
    seen = np.zeros(len(own), dtype=bool)
    seen[[i for i, _, _ in pairs]] = True
    estimate = proportion(
        "source_contaminated_share", int((seen & held_out).sum()), int(held_out.sum()), level=level, better="lower"
    )
    if not seen.any():
        return Part(estimates=(estimate,))
    finding = _finding(estimate, seen, held_out)
    return Part(estimates=(estimate,), findings=(finding,), figures=(_table(evidence, pairs),))


def _finding(share: Estimate, seen: Bool[np.ndarray, " samples"], held_out: Bool[np.ndarray, " samples"]) -> Finding:
    count, all_seen = int((seen & held_out).sum()), int(seen.sum())
    return Finding(
        code="contamination.source",
        severity="medium" if share.low > 0.01 else "low" if count else "info",
        because=(share.name,),
        samples=tuple(int(i) for i in np.flatnonzero(seen & held_out)[:100]),
        values={"count": count, "n": share.n, "all": all_seen},
    )


def _table(evidence: Evidence, pairs: list[tuple[int, int, str]]) -> Table:
    ordered = sorted(pairs, key=lambda pair: (not evidence.pool.held_out[pair[0]], pair))[:LISTED]
    return Table(
        name="source-pairs",
        title=Message("contamination.source-pairs.title"),
        caption=Message("contamination.source-pairs.caption", {"shown": len(ordered), "pairs": len(pairs)}),
        columns={
            "sample": [i for i, _, _ in ordered],
            "held out": ["yes" if evidence.pool.held_out[i] else "no" for i, _, _ in ordered],
            "source sample": [j for _, j, _ in ordered],
            "how": [how for _, _, how in ordered],
        },
    )
