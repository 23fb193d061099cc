"""The command `audit`. Nothing heavy is imported until the command line has been validated."""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import typer

from audit.cli import options as o
from audit.cli import validate
from audit.cli.commands.cache import cache
from audit.cli.commands.canaries import canaries
from audit.cli.commands.compare import compare
from audit.cli.commands.demo import demo
from audit.cli.commands.finetune import finetune
from audit.cli.commands.gate import gate
from audit.cli.commands.history import history
from audit.cli.commands.init import init
from audit.cli.commands.inspect import inspect
from audit.cli.commands.log import log
from audit.cli.commands.mitigate import mitigate
from audit.cli.commands.plan import plan
from audit.cli.commands.population import population
from audit.cli.commands.probes import probes
from audit.cli.commands.report import report
from audit.cli.commands.reproduce import reproduce
from audit.cli.commands.run import run
from audit.cli.commands.schema import schema
from audit.cli.commands.selfcheck import selfcheck
from audit.cli.commands.sign import sign
from audit.cli.commands.verify import verify
from audit.cli.commands.view import view
from audit.cli.help import Command, Group
from audit.runtime.late_imports import when_used
from probes.errors import EXIT_CRASH, AuditError, Interrupted, one_line, out_of_memory

VERDICT = "Exit codes: 0 pass · 1 fail · 2 wrong use · 3 undecided · 4 a probe failed"

HELP = (
    "[bold]Is this fine-tuned model safe to ship?[/bold]\n\nTrains replicas of your model's recipe on other subsets of "
    "the same data, probes them for overfitting, leakage and interpretability drift, writes a report, and gates CI on "
    """thresholds. The exit code is the verdict.

[dim]$[/dim] audit demo                            [dim]a one-minute tour[/dim]
[dim]$[/dim] audit finetune recipe.toml -o ckpt.pt [dim]make a model to audit[/dim]
[dim]$[/dim] audit run -m ckpt.pt -o report        [dim]then read report/report.html[/dim]
[dim]$[/dim] audit compare old/ report/            [dim]what got worse?[/dim]
[dim]$[/dim] audit COMMAND --help                  [dim]details of each[/dim]
[dim]$[/dim] audit --install-completion            [dim]tab completion[/dim]
"""
)
NO_MEMORY = (
    "there is not enough memory. Lift the limit on it (ulimit, control group), use fewer --workers, or less data."
)
MACHINE = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EIO,
    errno.EACCES,
    errno.EPERM,
    errno.ELOOP,
    errno.ENAMETOOLONG,
)
"""Errors of the disk and of paths, which are neither a bug nor a verdict."""
MAKE, AUDIT, REVIEW, MORE = "Make and plan", "Audit", "Results", "More"

app = typer.Typer(
    cls=Group,
    help=HELP,
    epilog=VERDICT,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(help=HELP)
def before_any_command(version: o.Version = False) -> None:
    """The options before a command's name."""


COMMANDS: tuple[tuple[Callable[..., None], str, str | None], ...] = (
    (demo, AUDIT, VERDICT),
    (finetune, MAKE, None),
    (run, AUDIT, VERDICT),
    (mitigate, AUDIT, "Exit codes: 0 one passes · 1 all fail · 2 wrong use · 3 undecided · 4 probe failed"),
    (gate, REVIEW, VERDICT),
    (compare, REVIEW, "Exit codes: 0 nothing is worse · 1 something is · 2 wrong use"),
    (history, REVIEW, None),
    (view, REVIEW, None),
    (report, REVIEW, None),
    (sign, REVIEW, None),
    (verify, REVIEW, "Exit codes: 0 intact and signed · 1 changed · 2 wrong use · 3 intact, not signed"),
    (reproduce, REVIEW, "Exit codes: 0 the same bytes · 1 something differs · 2 wrong use"),
    (log, REVIEW, None),
    (plan, MAKE, None),
    (population, MAKE, None),
    (canaries, MAKE, None),
    (cache, MORE, None),
    (inspect, MORE, None),
    (init, MAKE, None),
    (schema, MORE, None),
    (probes, MORE, None),
    (selfcheck, MORE, "Exit codes: 0 as expected · 1 it falls short · 2 wrong use"),
)
"""Each command with its panel and the epilogue of its help, in the order in which they are listed."""

for _command, _panel, _foot in COMMANDS:
    app.command(cls=Command, rich_help_panel=_panel, epilog=_foot)(_command)


def end_in_order() -> None:
    """A CI runner's SIGTERM and the SIGHUP of a terminal that is closed end a run as Ctrl-C does; where SIGHUP is
    ignored, as under nohup, it stays so."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, signal.default_int_handler)


def main() -> None:
    """Expected errors give one line and their exit code; a crash gives a traceback and exit code 70, never a
    verdict."""
    validate.any_terminal()
    end_in_order()
    # scipy.special imports all of NumPy: a tenth of what `audit gate` takes is this compiler's front end.
    when_used("numpy.f2py")
    try:
        validate.must_have_a_working_folder()
        app()
    except AuditError as error:
        _end(str(error), error.exit_code)
    except (KeyboardInterrupt, SystemExit) as ended:
        # Typer silently turns Ctrl-C into this exit code.
        if isinstance(ended, SystemExit) and ended.code != Interrupted.exit_code:
            from audit.runtime.user_code import blamed

            if (place := blamed(ended)) is not None:  # it must not be taken for a verdict
                _end(f"{place}: the recipe's own code ended the program.", AuditError.exit_code)
            raise
        _end("interrupted; what was finished is kept.", Interrupted.exit_code)
    except Exception as error:
        if out_of_memory(error):
            _end(NO_MEMORY, AuditError.exit_code)
        from audit.runtime.user_code import blamed, described

        if (place := blamed(error)) is not None:
            said = f"{place}: {described(error)}. The recipe's own code raised it."
            _end(said, AuditError.exit_code)
        if isinstance(error, OSError) and error.errno in MACHINE:
            _end(_refused(error), AuditError.exit_code)
        traceback.print_exc()
        _end("this is a bug in transfer-audit, not in your input.", EXIT_CRASH)


def _refused(error: OSError) -> str:
    """What the machine refused, and where; what is left of the output cannot be written either."""
    if error.filename is None:
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 (it is closed with the process)
    return f"{error.filename or 'the output'}: {str(error.strerror).lower()}."


def _end(said: str, code: int) -> NoReturn:
    print(f"audit: {one_line(said)}", file=sys.stderr)
    sys.exit(code)
