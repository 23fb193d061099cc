"""One file a format, and what formats share.

Imports the document; audit imports it.
"""
