"""Overfitting: is the model good on its training data only?"""

from probes.overfitting.probe import Overfitting

__all__ = ["Overfitting"]
