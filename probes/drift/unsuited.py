"""The exception of an attribution method that is not applicable."""

from __future__ import annotations

from probes.message import Text
from probes.texts import said


class Unsuited(Exception):
    """The method does not support this network or input: the audit reports this and continues with the others."""

    def __init__(self, reason: Text) -> None:
        super().__init__(said(reason))
        self.reason = reason
