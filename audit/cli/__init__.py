"""The command `audit`: options, one function per command, and the progress display.

Imports everything below; nothing imports it.
"""
