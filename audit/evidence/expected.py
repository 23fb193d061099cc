"""Is this the model? What it measures now against what its training, or its owner, says that it measured."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from audit.checkpoints.audited_model import Audited
from audit.config.audit_config import Config
from probes.errors import CheckpointError, ConfigError, did_you_mean
from probes.evidence import Answers
from probes.message import Message
from probes.plan import Pool

TOLERANCE = 0.02
"""Of accuracies a difference of shares, of losses nats."""


def as_expected(audited: Audited, own: Answers, config: Config) -> tuple[Message, ...]:
    """What the model measures, where its owner or its training's record said what it should.

    Raises CheckpointError where that is something else.
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
    """What was compared; None where nothing was expected.

    Raises CheckpointError where a measure is further off than the tolerance and one sample: then this is not the model,
    or not as it is used. ConfigError on a measure that there is none of.
    """
    found = measures(own, pool)
    sizes = {"member": int(pool.member.sum()), "held_out": int(pool.held_out.sum())}
    for name, value in expected.items():
        if name not in found:
            raise ConfigError(f"no measure {name!r}. {did_you_mean(name, found)}", where="[expect]")
        one = 1 / sizes[name.rpartition("_acc")[0] or name.removesuffix("_log_loss")]
        if abs(found[name] - value) > max(tolerance, one):
            raise CheckpointError(
                f"its {name} is {found[name]:.4g}, and {who} expects {value:.4g} (± {max(tolerance, one):.2g}): "
                "this is not the model, or not the data, that was measured.",
                where=name,
                do="Check weights, preprocessing, the order of the classes and the split.",
            )
    if not expected:
        return None
    said = tuple(f"{name} = {found[name]:.4g} ({value:.4g})" for name, value in expected.items())
    return Message("audit.as-expected", {"measures": said})
