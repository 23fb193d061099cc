"""Estimates with their intervals, and what looking at many of them costs."""

from probes.statistics.bootstrap import bootstrap_mean
from probes.statistics.differences import newcombe_difference
from probes.statistics.level import at_level, p_beyond
from probes.statistics.multiplicity import holm
from probes.statistics.proportions import clopper_pearson, proportion
from probes.statistics.resampled import nadeau_bengio
from probes.statistics.roc import auc, roc_curve, tpr_at_fpr

__all__ = [
    "at_level",
    "auc",
    "bootstrap_mean",
    "clopper_pearson",
    "holm",
    "nadeau_bengio",
    "newcombe_difference",
    "p_beyond",
    "proportion",
    "roc_curve",
    "tpr_at_fpr",
]
