"""Where architectures and their published weights come from, one family per file.

Imports config; `audit.models.source` imports it.
"""
