"""Data sets: one file a kind, the split, and the section of a recipe that names them.

Imports config files only; everything may import it.
"""
