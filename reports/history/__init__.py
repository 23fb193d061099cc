"""Audits over time.

Imports wording; audit.results imports it.
"""
