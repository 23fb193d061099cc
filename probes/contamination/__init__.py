"""Contamination: are the held-out samples new to the model?"""

from probes.contamination.probe import Contamination

__all__ = ["Contamination"]
