"""The user's own training code: a Python function, or `file.py:function`; or an estimator that is cloned and fitted."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

import cloudpickle

from audit.data.array_like import ArrayLike
from audit.runtime.user_code import load_file
from audit.storage.function_digest import digest_function
from audit.trainers.base import HOUR, Fit
from audit.trainers.guarded_call import user_code
from probes.errors import InputError, TrainerError, did_you_mean
from probes.plan import Row

WHERE = "--trainer"


@dataclass(frozen=True, kw_only=True, eq=False)
class FunctionTrainer:
    """Calls `function(fit)`. If it comes from a file (`path`), other processes import that file again; otherwise the
    function is sent with its closure."""

    name: str
    function: Callable[[Fit], object]
    digest: str
    path: Path | None = None
    features: ArrayLike | None = None
    timeout: float | None = 2 * HOUR

    def trains(self, row: Row) -> bool:
        """From scratch only if its code reads `start`; a linear probe never."""
        return row.transfer == "recipe" and (row.start == "source" or "start" in set(_names(self.function)))

    def __call__(self, fit: Fit) -> object:
        return self.function(fit)

    def __getstate__(self) -> dict[str, object]:
        state = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        if self.path is None:
            try:
                state["function"] = cloudpickle.dumps(self.function)
            except Exception as error:
                raise TrainerError(
                    f"cannot be sent to worker processes: {error}.", where=self.name, do="Use workers=1."
                ) from None
        else:
            state["function"] = None
        return state

    def __setstate__(self, state: dict[str, object]) -> None:
        sent = state["function"]
        state["function"] = (
            named_in(self.path_of(state), self.function_name(state)) if sent is None else (cloudpickle.loads(sent))
        )
        for name, value in state.items():
            object.__setattr__(self, name, value)

    @staticmethod
    def path_of(state: dict[str, object]) -> Path:
        return Path(str(state["path"]))

    @staticmethod
    def function_name(state: dict[str, object]) -> str:
        return str(state["name"]).rpartition(":")[2]


def of_function(function: Callable[[Fit], object], *, features: ArrayLike | None = None) -> FunctionTrainer:
    """The trainer of any callable that takes a Fit."""
    name = getattr(function, "__qualname__", type(function).__name__).replace("<locals>.", "")
    return FunctionTrainer(name=name, function=function, digest=digest_function(function), features=features)


def of_file(text: str, *, features: ArrayLike | None = None) -> FunctionTrainer:
    """The trainer of `file.py:function`. Raises InputError if there is no such file or function."""
    path, function = parsed(text)
    found = named_in(path, function)
    return FunctionTrainer(
        name=f"{path.name}:{function}",
        function=found,
        digest=digest_function(found),
        path=path.resolve(),
        features=features,
    )


def parsed(text: str) -> tuple[Path, str]:
    """The file and the function's name. Raises InputError."""
    file, colon, function = text.rpartition(":")
    if not colon or not file.endswith(".py") or not function.isidentifier():
        raise InputError(f"{text!r} does not name a function.", where=WHERE, do="Write file.py:function.")
    path = Path(file)
    if not path.is_file():
        raise InputError("no such file.", where=file, do="Check the path before the colon.")
    return path, function


def named_in(path: Path, function: str) -> Callable[[Fit], object]:
    """Imports the file, as a script in its folder would. Raises TrainerError if that fails, InputError if it has no
    such function."""
    with user_code(path.name, ""):
        module = load_file(path)
    found = getattr(module, function, None)
    if not callable(found):
        names = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
        raise InputError(f"has no function {function!r}.", where=str(path), do=did_you_mean(function, names))
    loaded: Callable[[Fit], object] = found
    return loaded


def _names(function: object) -> Iterator[str]:
    """Names of attributes and globals in a function's code, and in that of nested functions."""
    call = getattr(function, "func", function)
    if not hasattr(call, "__code__"):
        call = vars(type(call)).get("__call__")
    code = getattr(call, "__code__", None)
    waiting = [code] if isinstance(code, CodeType) else []
    while waiting:
        one = waiting.pop()
        yield from one.co_names
        waiting += [inner for inner in one.co_consts if isinstance(inner, CodeType)]
