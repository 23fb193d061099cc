"""What fine-tuning cost a language model on general text: loss compared with its base, divergence from it, new
directions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from probes.message import Message, Value
from probes.partial_result import Part
from probes.result import Estimate, Finding, Table
from probes.sequences import Sequences
from probes.statistics.bootstrap import bootstrap_mean
from probes.statistics.paired import paired_mean

SHOWN = 20


def general_text(sequences: Sequences, rng: np.random.Generator, level: float) -> Part:
    """The change of loss per token, text by text, and the mean divergence; and the new directions if weights are
    available."""
    general = sequences.general
    if general is None:
        return Part(notes=(Message("forgetting.no-general-text"),))
    own, base = (-one.average(one.log_prob)[0] for one in (general.own, general.base))
    unit = "nats per token"
    change = paired_mean("general.loss_change", own - base, level=level, unit=unit, better="lower")
    distance = bootstrap_mean("general.divergence", general.divergence, rng, level=level, unit=unit, better="lower")
    estimates: list[Estimate] = [change, distance]
    values: dict[str, Value] = {
        "change": change.value,
        "low": change.low,
        "high": change.high,
        "divergence": distance.value,
        "texts": change.n,
    }
    figures: tuple[Table, ...] = ()
    if general.intruders:
        total = float(sum(general.intruders.values()))
        estimates.append(
            Estimate(
                name="adapter.intruder_dimensions",
                value=total,
                low=total,
                high=total,
                level=level,
                n=len(general.intruders),
                counted="layers",
                unit="directions",
                better="lower",
            )
        )
        figures = (_table(general.intruders),)
    code = "forgetting.general-worse" if change.low > 0 else "forgetting.general-kept"
    finding = Finding(
        code=code,
        severity="low" if change.low > 0 else "info",
        because=(change.name, distance.name),
        values=values,
    )
    return Part(estimates=tuple(estimates), findings=(finding,), figures=figures)


def _table(intruders: Mapping[str, int]) -> Table:
    most = sorted(intruders.items(), key=lambda item: (-item[1], item[0]))[:SHOWN]
    return Table(
        name="intruders",
        title=Message("forgetting.intruders.title"),
        caption=Message("forgetting.intruders.caption", {"shown": len(most), "of": len(intruders)}),
        columns={"layer": [name for name, _ in most], "intruder dimensions": [count for _, count in most]},
    )
