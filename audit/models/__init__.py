"""Source networks: families, heads, graph rewrites and weight files.

Imports config; training, engines, checkpoints and evidence import it.
"""
