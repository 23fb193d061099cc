"""Reconstruction: do a few-shot head's weights reveal the features of its training samples?"""

from probes.reconstruction.probe import Reconstruction

__all__ = ["Reconstruction"]
