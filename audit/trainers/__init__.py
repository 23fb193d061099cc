"""Trainers, which fit a model to the kept samples: a user's function, an estimator, or a library's trainer.

Imports training, engines and data; population imports it.
"""
