"""Comparison of two audits: which estimates can be paired, and what changed beyond noise.

Imports probes; the document and formats import it.
"""
