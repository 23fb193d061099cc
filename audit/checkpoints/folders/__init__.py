"""Folders that models are saved as, one kind a file: recognised, and told what they say in plain text.

Imports models, config and data; `audit.checkpoints.open_model` opens what they describe.
"""
