"""Where architectures and their published weights come from, one family a file.

Imports config; `audit.models.source` imports it.
"""
