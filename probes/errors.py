"""Every error that transfer-audit raises on purpose.

AuditError                    one clear line, no traceback; exit code 2
├── InputError                what the user gave cannot be used
│   ├── ConfigError           audit.toml, a threshold, an option
│   ├── RecipeError           the recipe: unknown key, model, layer, weights
│   ├── DataError             a data set that is missing, malformed or unusable
│   │   └── FingerprintError  the data is not the data the checkpoint was made with
│   ├── CheckpointError       missing, truncated, not a checkpoint, unsafe
│   ├── TrainerError          the user's training code crashed, hung, or did not return predictions
│   ├── NonFiniteError        NaN or infinite logits, losses or weights
│   └── EvidenceError         an array given to a probe has the wrong shape or content
├── OverwriteError            the output exists and would be lost
├── StoreError                the replica store cannot be read or written (disk full, permissions)
├── PluginError               an entry point cannot be imported or is not what it should be
├── DependencyError           an installed package is missing or does not fit another
├── PrivacyError              a DP run that would not have the claimed ε
└── Interrupted               Ctrl-C; finished work is kept (exit code 130)
"""

import difflib
import errno
import unicodedata
from collections.abc import Iterable

EXIT_CRASH = 70
"""Of the command where an error is none of these: a defect of ours, never a verdict."""
LONGEST_LINE = 300
LONGEST = 1500
"""Longest error line in characters; longer ones contain untrusted text, and are cut."""


def one_line(text: str) -> str:
    """Untrusted text for a terminal or a log: on one line, with terminal controls, direction marks and invalid
    characters escaped.

    >>> one_line("class \\x1b[2J ok\\n::error::no")
    'class \\\\u001b[2J ok ::error::no'
    """
    whole = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    return " ".join("".join(c if _harmless(c) else f"\\u{ord(c):04x}" for c in whole).split())


def first_line(error: BaseException) -> str:
    """What a library's error says, as far as one line can say it; its type if it says nothing.

    >>> first_line(ValueError("\\n bad value: 3.\\nCall stack: ...")), first_line(KeyError())
    ('bad value: 3.', 'KeyError')
    """
    said = next((line.strip() for line in str(error)[:LONGEST].splitlines() if line.strip()), "")
    return one_line(said)[:LONGEST_LINE] or type(error).__name__


def _harmless(c: str) -> bool:
    return c in "\n\t\r\x0b\x0c" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")


class AuditError(Exception):
    """Base of all expected errors: says *what* is wrong, *where*, and what to *do*."""

    exit_code = 2

    def __init__(self, what: str, *, where: str = "", do: str = "") -> None:
        super().__init__(what)
        self.what, self.where, self.do = what, where, do

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        stop = "" if not self.do or self.what.rstrip().endswith((".", "!", "?", "…")) else "."
        advice = f"{stop} {self.do}" if self.do else ""
        return one_line(f"{place}{self.what.rstrip()}{advice}")

    def __reduce__(self) -> tuple[object, ...]:
        # Worker processes return errors by pickle, which needs keyword-only fields to be listed.
        return (_rebuild, (type(self), self.what, self.where, self.do))


def _rebuild(kind: type[AuditError], what: str, where: str, do: str) -> AuditError:
    return kind(what, where=where, do=do)


class InputError(AuditError):
    pass


class ConfigError(InputError):
    pass


class RecipeError(InputError):
    pass


class DataError(InputError):
    pass


class FingerprintError(DataError):
    pass


class CheckpointError(InputError):
    pass


class TrainerError(InputError):
    """`trace` is the traceback of the user's code, to be written to a file that the message names."""

    def __init__(self, what: str, *, where: str = "", do: str = "", trace: str = "") -> None:
        super().__init__(what, where=where, do=do)
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild_traced, (self.what, self.where, self.do, self.trace))


def _rebuild_traced(what: str, where: str, do: str, trace: str) -> TrainerError:
    return TrainerError(what, where=where, do=do, trace=trace)


class NonFiniteError(InputError):
    pass


class EvidenceError(InputError, ValueError):
    pass


class OverwriteError(AuditError):
    pass


class StoreError(AuditError):
    pass


class PluginError(AuditError):
    pass


class DependencyError(AuditError):
    pass


class PrivacyError(AuditError):
    pass


class Interrupted(AuditError):
    exit_code = 130


MANY = 40
"""Names that one line lists."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence with the nearest known name, or else with all of them, or the first of many.

    >>> did_you_mean("acuracy", ("loss", "accuracy")), did_you_mean("?", ("loss", "accuracy"))
    ("Did you mean 'accuracy'?", 'Known: accuracy, loss.')
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f"Did you mean {near[0]!r}?"
    if len(names) > MANY:
        return f"Known: {', '.join(names[:MANY])}, … ({len(names):,} in all)."
    return f"Known: {', '.join(names)}." if names else ""


NO_MEMORY = ("allocate memory", "failed to map segment", "std::bad_alloc", "out of memory", "out of host memory")
"""As libraries say it, by errors of all types."""


def out_of_memory(error: BaseException) -> bool:
    """Whether an error, or one that it came from, says that memory ran out.

    >>> out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."))
    True
    >>> out_of_memory(ValueError("no such memory"))
    False
    """
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        text = str(current).lower()
        said = not isinstance(current, AuditError) and any(one in text for one in NO_MEMORY)
        if isinstance(current, MemoryError) or said or (isinstance(current, OSError) and current.errno == errno.ENOMEM):
            return True
        current = current.__cause__ or current.__context__
    return False
