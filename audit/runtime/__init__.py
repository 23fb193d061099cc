"""What a process of an audit runs with: devices, threads, random streams, the user's code, installed extras.

Imports nothing of audit; everything may import it.
"""
