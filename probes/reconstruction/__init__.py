"""Reconstruction: do a few-shot head's weights give away what the training samples look like to it?"""

from probes.reconstruction.probe import Reconstruction

__all__ = ["Reconstruction"]
