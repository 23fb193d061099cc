"""Fine-tuning from a recipe: the visible loop and all its parts.

Imports config, data and models; engines, checkpoints and population import it.
"""
