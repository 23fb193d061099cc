"""Which of the sets of weights in a file is the model: training scripts store others beside it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from torch import Tensor

from audit.models.prefixes import under_names
from probes.errors import CheckpointError, did_you_mean

USUAL = ("state_dict", "model", "model_state_dict", "model_state", "net", "network", "weights", "params", "module")
OPTIMIZERS = re.compile(r"optim|sched|scaler", re.IGNORECASE)
"""Keys of states that hold tensors but no weights."""
BESIDE = re.compile(r"optim|sched|scaler|ema|average|teacher|hyper|args|config|callbacks|shadow", re.IGNORECASE)
"""Keys that are stored beside weights: optimizer states, and averages of the weights, which are other models."""
AVERAGED = re.compile(r"(?<![a-z])(ema|swa)|(ema|swa)(?![a-z])|average|shadow", re.IGNORECASE)
MOST_LISTED = 100
"""Entries of a list that are searched for weights."""
DEEPEST = 4
"""Levels of nested keys that are searched for weights."""


def weights_in(content: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    """The state dict in a training script's file: the content itself, or the entry under one of its keys.

    Raises CheckpointError, naming the keys, if the choice is ambiguous.
    """
    if any(isinstance(value, Tensor) and "." in str(name) for name, value in content.items()):
        return content
    if "param_groups" in content and "state" in content:
        raise CheckpointError(
            "holds the state of an optimizer, and no weights.", where=str(path), do="Give a state dict."
        )
    nested = sets_in(content)
    for name in USUAL:
        if name in nested:
            return nested[name]
    likely = {key: value for key, value in nested.items() if not BESIDE.search(key)}
    for name in USUAL:
        usual = [key for key in likely if key.rpartition(".")[2] == name]
        if len(usual) == 1:
            return likely[usual[0]]
    if len(likely) == 1 or (len(nested) == 1 and not has_tensors(content)):
        return next(iter((likely or nested).values()))
    if len(likely) > 1:
        raise CheckpointError(
            f"holds weights under {' and '.join(map(repr, sorted(likely)))}.",
            where=str(path),
            do=f"Say which is the audited model: --weights {min(likely)}.",
        )
    return content


def weights_under(key: str, content: Mapping[str, object], path: Path) -> Mapping[str, object]:
    """The set of weights under that key, or among the chosen weights by that prefix. Raises CheckpointError."""
    nested = sets_in(content)
    if key in nested:
        return nested[key]
    try:
        flat = weights_in(content, path)
    except CheckpointError:  # several, and the key is that of none
        flat = {}
    if has_tensors(inner := inside(flat, key)):
        return inner
    held = [*nested, *prefixes_of(flat)]
    raise CheckpointError(f"holds no weights under {key!r}. {did_you_mean(key, held)}", where=str(path))


def key_of_weights(content: Mapping[str, object], path: Path) -> str:
    """The chosen set of weights as Python's subscripts: `['model']['net']`; empty for the content itself. Raises
    CheckpointError if the choice is ambiguous."""
    chosen = weights_in(content, path)
    key = next((key for key, value in sets_in(content).items() if value is chosen), "")
    found, inner = "", cast(Any, content)
    for part in key.split(".") if key else ():
        place = int(part) if isinstance(inner, list | tuple | Numbered) else part
        found += f"[{place!r}]"
        inner = inner[part if isinstance(inner, Numbered) else place]
    return found


def sets_in(content: Mapping[str, object]) -> dict[str, Mapping[str, object]]:
    """The sets of weights in a file by their keys; a key of several levels is joined by dots.

    >>> import torch
    >>> list(sets_in({"net": {"weight": torch.ones(1)}, "averages": {"ema": {"weight": torch.ones(1)}}, "epoch": 3}))
    ['net', 'averages.ema']
    """
    return dict(_sets(content, "", DEEPEST))


def _sets(content: Mapping[str, object], above: str, levels: int) -> Iterator[tuple[str, Mapping[str, object]]]:
    for name, value in content.items():
        inner = numbered(value) if isinstance(value, list | tuple) else value
        if not isinstance(inner, Mapping) or OPTIMIZERS.search(str(name)):
            continue
        if has_tensors(inner):
            yield f"{above}{name}", inner
        elif levels > 1:
            yield from _sets(inner, f"{above}{name}.", levels - 1)


class Numbered(dict[str, Any]):
    """What was stored as a list, by place."""


def numbered(listed: Sequence[object]) -> Numbered:
    """The mappings in a list by their places, such as the models of an ensemble.

    >>> numbered([{"weight": 1}, 3])
    {'0': {'weight': 1}}
    """
    return Numbered({str(at): value for at, value in enumerate(listed[:MOST_LISTED]) if isinstance(value, Mapping)})


def has_tensors(value: object) -> bool:
    return isinstance(value, Mapping) and any(isinstance(one, Tensor) for one in value.values())


def averages_in(content: Mapping[str, Any]) -> list[str]:
    """Keys of averaged weights (EMA, SWA) stored beside the weights."""
    return [key for key in sets_in(content) if AVERAGED.search(key)]


def averages_among(found: Mapping[str, Tensor], used: Collection[str]) -> list[str]:
    """Prefixes of averaged weights stored among the weights, as saved by a wrapper that holds both models.

    >>> import torch
    >>> averages_among({"model.fc": torch.zeros(1), "ema_model.fc": torch.zeros(1)}, {"fc"})
    ['ema_model']
    """
    own = {name.partition(".")[0] for name in used}
    return [prefix for prefix in prefixes_of(found) if AVERAGED.search(prefix) and prefix not in own]


def prefixes_of(state: Mapping[str, object]) -> list[str]:
    """First parts of the names."""
    return list(dict.fromkeys(str(name).partition(".")[0] for name in state if "." in str(name)))


def further_sets(content: Mapping[str, object], path: Path) -> list[str]:
    """Keys of the sets of weights that are not chosen. Raises CheckpointError if the choice is ambiguous."""
    chosen = weights_in(content, path)
    return [key for key, value in sets_in(content).items() if value is not chosen]


def others_in(content: Mapping[str, object], path: Path, expected: Mapping[str, Tensor]) -> list[str]:
    """Keys of further sets of weights that would fit the network as well, other than averages."""
    nested = sets_in(content)
    return [key for key in further_sets(content, path) if not AVERAGED.search(key) and fits(nested[key], expected)]


def fits(found: Mapping[str, object], expected: Mapping[str, Tensor]) -> bool:
    """Whether these are weights of all of the network's names, perhaps under a wrapper's prefix."""
    tensors = {str(name): value for name, value in found.items() if isinstance(value, Tensor)}
    named = under_names(tensors, expected)
    return bool(expected) and all(name in named and named[name].shape == expected[name].shape for name in expected)


def others_among(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> list[str]:
    """Prefixes of further models of the same shape among the weights, such as a teacher beside its student."""
    used = under_names(found, expected).get(next(iter(expected), ""))
    return [
        prefix
        for prefix in whole_under(found, expected)
        if not AVERAGED.search(prefix) and not any(value is used for value in inside(found, prefix).values())
    ]


def whole_under(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> list[str]:
    """Prefixes under which the weights hold all of the network's names.

    >>> import torch
    >>> whole_under({"student.fc": torch.ones(1), "teacher.fc": torch.ones(1)}, {"fc": torch.ones(1)})
    ['student', 'teacher']
    """
    return [prefix for prefix in prefixes_of(found) if fits(inside(found, prefix), expected)]


def inside(state: Mapping[str, object], prefix: str) -> dict[str, object]:
    """What has the prefix, without it."""
    return {str(name).removeprefix(f"{prefix}."): v for name, v in state.items() if str(name).startswith(f"{prefix}.")}
