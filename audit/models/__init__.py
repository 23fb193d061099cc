"""Source networks: families, heads, graph rewrites and files of weights.

Imports config; training, engines, checkpoints and evidence import it.
"""
