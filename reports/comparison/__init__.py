"""Two audits side by side: which estimates are pairs, and what changed beyond noise.

Imports probes; the document and formats import it.
"""
