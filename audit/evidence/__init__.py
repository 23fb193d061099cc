"""From trained models to evidence: who is looked at, what is seen, and what is kept of it.

Imports population, models and storage; the pipeline imports it.
"""
