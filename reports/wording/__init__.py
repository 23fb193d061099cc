"""The texts of a report in both languages, and the formatting of numbers.

Imports probes; document and formats import it.
"""
