"""Fine-tuning by a recipe: the visible loop and every part of it.

Imports config, data and models; engines, checkpoints and population import it.
"""
