"""Leakage: does the model reveal which records it was trained on?"""

from probes.answers import logit_margin
from probes.membership.epsilon_bounds import epsilon_clopper_pearson, epsilon_one_run
from probes.membership.lira import lira_scores
from probes.membership.probe import Membership
from probes.membership.rmia import rmia_scores

__all__ = [
    "Membership",
    "epsilon_clopper_pearson",
    "epsilon_one_run",
    "lira_scores",
    "logit_margin",
    "rmia_scores",
]
