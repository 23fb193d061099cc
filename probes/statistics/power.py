"""The smallest effect that a number of replicas can detect."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from probes.plan import Pool, Row
from probes.statistics.proportions import clopper_pearson
from probes.statistics.student_t import t_quantile

FEWEST_ROUNDS = 3
"""Stand-ins are attacked with replicas of other orders; with two orders, the recipe's interval is the whole range."""


CONFIDENCE, POWER, TYPICAL_ACCURACY = 0.95, 0.8, 0.8


@dataclass(frozen=True, kw_only=True)
class Power:
    """The smallest effects found with 80 % probability at 95 % confidence; None if the rows do not measure it.

    accuracy_gap    a fraction, by Nadeau and Bengio's variance for models near 80 % accuracy
    checkpoint_tpr  the true-positive rate at 1 % false positives that exact binomial intervals tell from 1 %, of this
                    model
    recipe_tpr      the same of the recipe, which counts one replica an order, since those of one order are alike
    """

    accuracy_gap: float | None
    checkpoint_tpr: float | None
    recipe_tpr: float | None


def power(pool: Pool, rows: Sequence[Row]) -> Power:
    """What a population of these rows of the pool could detect; computed without the data.

    pool  the members and the held-out samples
    rows  the replicas that a plan would train

    Returns the least effects; None for what the rows do not measure.

    >>> import numpy as np
    >>> half, none = np.arange(2000) < 1000, np.zeros(2000, dtype=bool)
    >>> pool = Pool(labels=np.zeros(2000, dtype=int), member=half, held_out=~half, validation=none)
    >>> power(pool, [])
    Power(accuracy_gap=None, checkpoint_tpr=None, recipe_tpr=None)
    """
    splits = [row for row in rows if row.design == "splits"]
    members, held_out = int(pool.member.sum()), int(pool.held_out.sum())
    gap = recipe = None
    if len(splits) > 1:
        train = int(splits[0].keep.sum())
        test = len(pool.indices) - train
        spread = TYPICAL_ACCURACY * (1 - TYPICAL_ACCURACY) * (1 / train + 1 / test)
        quantiles = sum(t_quantile(q, len(splits) - 1) for q in (0.5 + CONFIDENCE / 2, POWER))
        gap = quantiles * math.sqrt(spread * (1 / len(splits) + test / train))
        orders = len({row.order for row in splits})
        recipe = detectable_tpr(train * orders, test * orders) if orders >= FEWEST_ROUNDS else None
    return Power(
        accuracy_gap=gap,
        checkpoint_tpr=detectable_tpr(members, held_out) if len(splits) > 1 else None,
        recipe_tpr=recipe,
    )


def detectable_tpr(members: int, others: int, fpr: float = 0.01) -> float | None:
    """The smallest true-positive rate whose Clopper–Pearson interval lies above that of `fpr` with 80 % probability.

    members, others  how many of each are attacked, at least 1
    fpr              the false-positive rate, in (0, 1); 0.01 by default

    Returns a rate in (0, 1]; None if there are too few non-members for such a false-positive rate.

    >>> round(detectable_tpr(1000, 1000), 3)
    0.032
    """
    if others < 1 / fpr:
        return None
    _, high = clopper_pearson(round(fpr * others), others, CONFIDENCE)
    hits = np.arange(members + 1)
    # The Clopper–Pearson lower bound of k of n is the beta quantile of (k, n − k + 1).
    low = scipy.stats.beta.ppf((1 - CONFIDENCE) / 2, np.maximum(hits, 1e-9), members - hits + 1)
    needed = int(np.argmax(low > high)) if (low > high).any() else members + 1
    if needed > members:
        return None
    rates = np.linspace(fpr, 1, 2000)
    enough = scipy.stats.binom.sf(needed - 1, members, rates) >= POWER
    return float(rates[np.argmax(enough)]) if enough.any() else None
