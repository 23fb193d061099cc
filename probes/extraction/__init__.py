"""Extraction: answers that a language model reproduces word for word, and secrets among them."""

from probes.extraction.probe import Extraction

__all__ = ["Extraction"]
