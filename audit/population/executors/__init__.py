"""Where replicas are trained: worker processes, or Ray.

Imports storage; `audit.population.populate` imports it.
"""
