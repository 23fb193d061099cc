"""Checkpoints: written by `finetune`, opened for an audit, inspected, or read from elsewhere.

Imports config, data, models, training and storage; the pipeline and the command line import it.
"""
