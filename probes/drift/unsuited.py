"""What an attribution method says where it has no answer."""

from __future__ import annotations


class Unsuited(Exception):
    """The method does not fit this network or input: the audit says so and goes on with the others."""
