"""Trainers, which fit a model to the kept samples: the recipe, a user's function, or a library's trainer.

Imports training, engines and data; population imports it.
"""
