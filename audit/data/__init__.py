"""Data sets: one file per kind, the split, and the recipe section that names them.

Imports only config files; everything may import it.
"""
