"""The evidence pack: what a reviewer, a data-protection officer and an auditor file, as pure functions to files' bytes.

Knows nothing of folders, keys or clocks; `audit.results` writes, signs and verifies.
"""
