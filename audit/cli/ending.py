"""The end of the command's process."""

from __future__ import annotations

import atexit
import os
import sys


class Ending:
    """Ends the process by `os._exit` once its output is flushed and all other exit functions were called.

    Python would otherwise look through all objects of the libraries, several times, and free each: 1.5 s where torch
    was imported. To be made before the libraries are imported, because exit functions are called in reverse order.
    """

    def __init__(self) -> None:
        self.code: int | None = None
        """The exit code; as long as there is none, the process ends as any other."""
        atexit.register(self._end)

    def _end(self) -> None:
        if self.code is None:
            return
        try:
            print(end="", flush=True)  # which also holds where there is no output
            print(end="", file=sys.stderr, flush=True)
        except (OSError, ValueError):
            return  # Python reports what could not be written
        os._exit(self.code)
