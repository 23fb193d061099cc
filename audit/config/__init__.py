"""Recipes, audit.toml, the settings of one run, and the TOML files they are read from.

Imports nothing of audit but the data kinds; everything may import it.
"""
