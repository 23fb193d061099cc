"""Probes: pure functions from evidence to results."""
