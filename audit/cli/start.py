"""Where the command begins: what keeps it from starting is no verdict either."""

from __future__ import annotations

import sys
import traceback


def main() -> None:
    """`audit.cli.app.main`. A library that cannot be imported ends with 2 where memory is short, else with 70: Python
    itself would end with 1, which means that an audit failed."""
    try:
        from audit.cli.app import main as command
    except Exception as error:
        from probes.errors import EXIT_CRASH, out_of_memory

        if out_of_memory(error):
            sys.exit(_said("there is not enough memory to start. Lift the limit on it (ulimit, control group).", 2))
        traceback.print_exc()
        sys.exit(_said("cannot start: a package is missing or damaged. Install transfer-audit again.", EXIT_CRASH))
    command()


def _said(text: str, code: int) -> int:
    print(f"audit: {text}", file=sys.stderr)
    return code
