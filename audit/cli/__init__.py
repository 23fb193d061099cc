"""The command `audit`: options, one function a command, and what is shown while it works.

Imports everything below; nothing imports it.
"""
