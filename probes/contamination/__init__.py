"""Contamination: are the held-out samples new to the model?"""

from probes.contamination.probe import Contamination
from probes.measures.embedding import Embedding

__all__ = ["Contamination", "Embedding"]
