"""What is measured inside a model and kept: maps, representations, faithfulness, shortcuts.

Imports explain; the probe and its sections import it.
"""
