"""What a training records for its audit (rows, seeds, arguments and base), one library per file.

Imports data; no other part of audit imports it.
"""
