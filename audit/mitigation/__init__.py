"""Countermeasures, and the search for one that passes the gate.

Imports checkpoints; the command line and the API import it.
"""
