"""Folders in which models are saved, one kind per file: how they are recognised and what they state in plain text.

Imports models, config and data; `audit.checkpoints.open_model` opens what they describe.
"""
