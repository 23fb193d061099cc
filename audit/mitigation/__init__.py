"""Countermeasures, and the search for one that passes the gate.

Imports the pipeline and checkpoints; the command line and the API import it.
"""
