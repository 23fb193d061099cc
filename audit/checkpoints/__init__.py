"""Checkpoints: written by `finetune`, opened for an audit, inspected, or read from elsewhere.

Imports config, data, models, training and storage; pipelines and the command line import it.
"""
