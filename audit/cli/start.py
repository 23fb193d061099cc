"""Entry point of the command: a failure to start is not a verdict either."""

from __future__ import annotations

import sys
import traceback

from audit.cli.ending import Ending
from audit.runtime.garbage import collect_seldom


def main() -> None:
    """Runs `audit.cli.app.main`. If a library cannot be imported, the exit code is 2 if memory is short, else 70:
    Python itself would exit with 1, which means that an audit failed."""
    collect_seldom()
    ending = Ending()
    try:
        from audit.cli.app import main as command
    except Exception as error:
        from probes.errors import EXIT_CRASH, out_of_memory

        if out_of_memory(error):
            sys.exit(_said("there is not enough memory to start. Lift the limit on it (ulimit, control group).", 2))
        traceback.print_exc()
        sys.exit(_said("cannot start: a package is missing or damaged. Install transfer-audit again.", EXIT_CRASH))
    try:
        command()
        ending.code = 0
    except SystemExit as ended:
        if isinstance(ended.code, int | None):
            ending.code = ended.code or 0
        raise


def _said(text: str, code: int) -> int:
    print(f"audit: {text}", file=sys.stderr)
    return code
