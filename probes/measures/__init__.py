"""Measurements shared by several risks: duplicates, embeddings, label errors, memorisation, calibration.

Imports statistics; every risk may import it, and it imports none of them.
"""
