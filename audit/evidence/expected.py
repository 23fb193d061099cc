"""Is this the model? Its measurements now against those stated by its training or its owner."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from audit.checkpoints.audited_model import Audited
from audit.config.audit_config import Config
from probes.answers import Answers
from probes.errors import CheckpointError, ConfigError, did_you_mean
from probes.message import Message
from probes.plan import Pool

TOLERANCE = 0.02
"""For accuracies a difference of shares, for losses in nats."""


def as_expected(audited: Audited, own: Answers, config: Config) -> tuple[Message, ...]:
    """The model's measurements, if its owner or its training record states what they should be.

    Raises CheckpointError if they differ.
    """
    expect, pool = config.expect, audited.experiment.pool
    found = (
        check(own, pool, audited.expected, expect.tolerance, who="its audit record"),
        check(own, pool, expect.measures, expect.tolerance, who=f"{config.where}, [expect],"),
    )
    return tuple(one for one in found if one is not None)


def measures(own: Answers, pool: Pool) -> dict[str, float]:
    """Accuracies (shares) and log-losses (nats) of the audited model on its members and on held-out samples."""
    correct, losses = own.correct(pool.labels)[0], -own.log_prob[0]
    found = {}
    for side, mask in (("member", pool.member), ("held_out", pool.held_out)):
        found[f"{side}_accuracy"] = float(np.mean(correct[mask]))
        found[f"{side}_log_loss"] = float(np.mean(losses[mask]))
    return found


def check(
    own: Answers, pool: Pool, expected: Mapping[str, float], tolerance: float = TOLERANCE, *, who: str
) -> Message | None:
    """What was compared; None if nothing was expected.

    Raises CheckpointError if a measurement is off by more than the tolerance and one sample: then this is not the
    model, or it is not used in the same way. Raises ConfigError on an unknown measurement.
    """
    found = measures(own, pool)
    sizes = {"member": int(pool.member.sum()), "held_out": int(pool.held_out.sum())}
    for name, value in expected.items():
        if name not in found:
            raise ConfigError(f"no measure {name!r}. {did_you_mean(name, found)}", where="[expect]")
        one = 1 / sizes[name.rpartition("_acc")[0] or name.removesuffix("_log_loss")]
        if abs(found[name] - value) > max(tolerance, one):
            raise CheckpointError(
                f"its {name} is {found[name]:.4g}, but {who} expects {value:.4g} (± {max(tolerance, one):.2g}): "
                "this is not the model, or not the data, that was measured.",
                where=name,
                do="Check weights, preprocessing, the order of the classes and the split.",
            )
    if not expected:
        return None
    said = tuple(f"{name} = {found[name]:.4g} ({value:.4g})" for name, value in expected.items())
    return Message("audit.as-expected", {"measures": said})
