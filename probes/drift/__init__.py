"""Interpretability drift: are the model's reasons still those of its source, and are they reasons at all?"""

from probes.drift.probe import Drift

__all__ = ["Drift"]
