"""The words of a report in both languages, and how numbers are written.

Imports probes; document and formats import it.
"""
