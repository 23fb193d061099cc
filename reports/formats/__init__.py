"""Report formats, one per file, and what they share.

Imports the document; audit imports it.
"""
