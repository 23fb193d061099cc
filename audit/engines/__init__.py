"""Fast ways to train a recipe's replicas; `full` is the visible loop itself.

Imports training and models; population imports it.
"""
