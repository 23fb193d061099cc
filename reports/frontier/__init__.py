"""Countermeasures compared: accuracy against leakage, overfitting and drift.

Imports comparison and wording; audit.mitigation imports it.
"""
