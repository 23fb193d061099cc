"""Triggers: single words that change a language model's answers."""

from probes.triggers.candidates import Candidate, controls_for, propose
from probes.triggers.probe import Triggers

__all__ = ["Candidate", "Triggers", "controls_for", "propose"]
