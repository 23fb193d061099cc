"""Files that are complete or absent: atomic writes, the store of replicas, scratch folders.

Of audit, imports only the runtime; everything may import it.
"""
