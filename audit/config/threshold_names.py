"""The names in thresholds and waivers, checked before anything is trained."""

from __future__ import annotations

import difflib
import re

from audit.config.audit_config import Config
from probes.errors import ConfigError, did_you_mean
from probes.probe import PROBES
from probes.texts import texts
from reports.gate.judge import check_waivers

ALIKE = 0.9
"""Similarity (difflib's ratio) from which an unknown name is taken for a misspelling of a known one. Not every estimate
is known beforehand: some are named after an attack, a benchmark or a rate."""


def check_names(config: Config) -> None:
    """Refuses unknown probes, misspelled estimates, and waivers of what no threshold checks. Raises ConfigError.

    >>> from audit.config.audit_config import check_config
    >>> check_names(check_config({"thresholds": {"membrship": {"recipe.auc": {"max": 0.6}}}}))
    Traceback (most recent call last):
    ...
    probes.errors.ConfigError: config, [thresholds]: unknown probe 'membrship'. Did you mean 'membership'?
    """
    known = PROBES.names()
    for probe, bounds in config.thresholds.items():
        if probe not in known:
            raise ConfigError(
                f"unknown probe {probe!r}. {did_you_mean(probe, known)}", where=f"{config.where}, [thresholds]"
            )
        titled = texts("en").packages.get(probe, {}).get("estimates", {})
        for name in bounds:
            near = difflib.get_close_matches(name, titled, n=1, cutoff=ALIKE)
            if name not in titled and near and _letters(name) != _letters(near[0]):
                raise ConfigError(
                    f"unknown estimate {name!r}. Did you mean {near[0]!r}?",
                    where=f"{config.where}, [thresholds.{probe}]",
                )
    check_waivers(config.gate())


def _letters(name: str) -> str:
    """Without numbers: `tpr_at_2pct_fpr` is not a misspelling of `tpr_at_1pct_fpr`."""
    return re.sub(r"[\d.]+", "", name)
