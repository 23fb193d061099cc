"""Results against thresholds: the verdict, and what would decide it.

Imports probes; the document and audit import it.
"""
