"""Families of shortcuts: what each proposes, and how it puts a candidate into samples of other classes.

A family is a small file, registered by an entry point in the group `audit.shortcuts`; `search.py` tries all of them by
the same rule. Families do not import each other.
"""
