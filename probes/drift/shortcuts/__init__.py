"""Families of shortcuts: what each proposes, and how it puts a candidate into samples of other classes.

A family is a small file, offered by an entry point in the group `audit.shortcuts`; `search.py` tries all of them by one
rule. A family imports no other.
"""
