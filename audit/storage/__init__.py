"""Files that are whole or absent: atomic writes, the store of replicas, scratch folders.

Imports nothing else of audit but the runtime; everything may import it.
"""
