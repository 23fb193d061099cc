"""How the recipe's replicas are trained fast; `full` is the visible loop itself.

Imports training and models; population imports it.
"""
