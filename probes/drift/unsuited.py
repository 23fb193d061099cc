"""What an attribution method says where it has no answer."""

from __future__ import annotations

from probes.message import Text
from probes.texts import said


class Unsuited(Exception):
    """The method does not fit this network or input: the audit says so and goes on with the others."""

    def __init__(self, reason: Text) -> None:
        super().__init__(said(reason))
        self.reason = reason
