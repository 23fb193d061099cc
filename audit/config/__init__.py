"""Recipes, audit.toml, the settings of one run, and the TOML files they are read from.

Of audit, imports only the data kinds; everything may import it.
"""
