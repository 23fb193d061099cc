"""The outline of a report, the same for every format.

Imports gate, comparison and wording; formats import it.
"""
