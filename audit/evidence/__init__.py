"""From trained models to evidence: which models are observed, what is measured, and what is kept.

Imports population, models and storage; pipelines import it.
"""
