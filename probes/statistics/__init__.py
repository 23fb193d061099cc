"""Estimates with intervals, and what they cost."""
