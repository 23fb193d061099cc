"""Attribute inference: does the model give away a column of the records that trained it?"""

from probes.attribute_inference.probe import AttributeInference

__all__ = ["AttributeInference"]
