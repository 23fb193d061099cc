"""The evidence pack for reviewers, data-protection officers and auditors, as pure functions to the bytes of files.

Independent of folders, keys and clocks; `audit.results` writes, signs and verifies.
"""
