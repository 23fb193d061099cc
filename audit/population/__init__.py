"""The replicas of an audit: which to train, at what cost, within which budget.

Imports engines, training and storage; evidence and the pipelines import it.
"""
