"""Estimates with their intervals, and corrections for looking at many of them."""

from probes.statistics.bootstrap import bootstrap_difference, bootstrap_mean
from probes.statistics.confidence_level import at_level, p_beyond
from probes.statistics.corrected_resampled_t import nadeau_bengio
from probes.statistics.differences import mcnemar, mover, newcombe_difference, newcombe_paired
from probes.statistics.multiplicity import holm
from probes.statistics.paired import independent_difference, paired_auc, paired_gap, paired_mean
from probes.statistics.proportions import clopper_pearson, proportion
from probes.statistics.roc import auc, roc_curve, tpr_at_fpr

__all__ = [
    "at_level",
    "auc",
    "bootstrap_difference",
    "bootstrap_mean",
    "clopper_pearson",
    "holm",
    "independent_difference",
    "mcnemar",
    "mover",
    "nadeau_bengio",
    "newcombe_difference",
    "newcombe_paired",
    "p_beyond",
    "paired_auc",
    "paired_gap",
    "paired_mean",
    "proportion",
    "roc_curve",
    "tpr_at_fpr",
]
