"""Inheritance: what the audited model inherited from its source and its data: backdoors, worst groups, source
membership."""

from probes.inheritance.probe import Inheritance

__all__ = ["Inheritance"]
