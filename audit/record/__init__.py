"""What a training leaves behind for its audit, one library a file: which rows, seeds, arguments and base.

Imports data; nothing of the audit imports it.
"""
