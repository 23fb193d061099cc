"""Countermeasures as changes of a recipe: what can be tried against overfitting, leakage and drift."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from audit.config.recipe import Recipe, TransferSection, parse
from probes.errors import ConfigError, RecipeError, did_you_mean
from probes.message import Message, Text
from probes.texts import said

Change = Callable[[Recipe, float, int | None], Mapping[str, object]]
"""(recipe, strength, side of the images in pixels or None) to the sections that differ. Raises InapplicableError with a
reason if it does not apply."""

CROP_PART = 8
"""A random crop is padded by this share of the side: 4 pixels of 32, as is usual for CIFAR (He 2016)."""
PATIENCE = 3


class InapplicableError(RecipeError):
    """A countermeasure that does not apply to a recipe; `why` is the reason in every language."""

    def __init__(self, code: str) -> None:
        self.why = Message(code)
        super().__init__(said(self.why))


@dataclass(frozen=True, kw_only=True)
class Countermeasure:
    """`strength` is the usual one, None if there is none to set; `source` is the reference."""

    change: Change
    source: str
    strength: float | None = None


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A recipe to try; `name` is the countermeasure with its strength, `l2-sp=0.01`."""

    name: str
    recipe: Recipe


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """`refused` says why a countermeasure does not apply to this recipe."""

    recipes: tuple[Candidate, ...]
    refused: Mapping[str, Text] = field(default_factory=dict)


def _penalty(key: str) -> Change:
    def change(recipe: Recipe, strength: float, side: int | None) -> Mapping[str, object]:
        if getattr(recipe.regularise, key) >= strength:
            raise InapplicableError("audit.mitigation-strong-already")
        return {"regularise": {key: strength}}

    return change


def _wise_ft(recipe: Recipe, strength: float, side: int | None) -> Mapping[str, object]:
    if recipe.transfer.mode == "features":
        raise InapplicableError("audit.mitigation-head-alone")
    if strength >= 1:
        raise InapplicableError("audit.mitigation-source-itself")
    return _penalty("source_share")(recipe, strength, side)


def _dropout(recipe: Recipe, strength: float, side: int | None) -> Mapping[str, object]:
    if recipe.head.dropout >= strength:
        raise InapplicableError("audit.mitigation-strong-already")
    return {"head": {"dropout": strength}}


def _early_stopping(recipe: Recipe, strength: float, side: int | None) -> Mapping[str, object]:
    if recipe.train.patience and recipe.train.select == "best":
        raise InapplicableError("audit.mitigation-stops-already")
    if recipe.split.file is None and not recipe.split.validation:
        raise InapplicableError("audit.mitigation-no-validation")
    return {"train": {"patience": PATIENCE, "select": "best"}}


def _mode(mode: str) -> Change:
    def change(recipe: Recipe, strength: float, side: int | None) -> Mapping[str, object]:
        if recipe.transfer.mode == mode:
            raise InapplicableError("audit.mitigation-transfers-already")
        return {"transfer": {"mode": mode, "layers": ()}}

    return change


def _lp_ft(recipe: Recipe, strength: float, side: int | None) -> Mapping[str, object]:
    """The usual number of epochs for the head alone, at most half of all: the rest are for training everything."""
    if recipe.train.epochs < 2:
        raise InapplicableError("audit.mitigation-one-epoch")
    epochs = min(TransferSection().lp_epochs, recipe.train.epochs // 2)
    return _merged(_mode("lp-ft")(recipe, strength, side), {"transfer": {"lp_epochs": epochs}})


def _augment(recipe: Recipe, strength: float, side: int | None) -> Mapping[str, object]:
    if side is None:
        raise InapplicableError("audit.mitigation-no-images")
    if recipe.augment:
        raise InapplicableError("audit.mitigation-augments-already")
    return {"augment": [{"name": "RandomCrop", "size": side, "padding": max(1, side // CROP_PART)}]}


def _dp(recipe: Recipe, strength: float, side: int | None) -> Mapping[str, object]:
    if recipe.privacy and recipe.privacy.epsilon is not None and recipe.privacy.epsilon <= strength:
        raise InapplicableError("audit.mitigation-private-already")
    return {
        "privacy": {"epsilon": strength, "noise_multiplier": None},
        # DP-SGD replaces the settings that it does not support.
        "regularise": {"bss": 0.0, "attention": 0.0},
        "train": {"clip_norm": None, "compile": False, "precision": "float32"},
        "align": None,
        "transfer": {"mode": "parameters"} if recipe.transfer.mode in ("lp-ft", "gradual") else {},
    }


KNOWN: Mapping[str, Countermeasure] = {
    "l1": Countermeasure(change=_penalty("l1"), strength=1e-4, source="Tibshirani 1996"),
    "l2": Countermeasure(change=_penalty("l2"), strength=1e-2, source="Krogh & Hertz 1991"),
    "l2-sp": Countermeasure(change=_penalty("l2_sp"), strength=1e-2, source="Li 2018"),
    "wise-ft": Countermeasure(change=_wise_ft, strength=0.3, source="Wortsman 2022"),
    "dropout": Countermeasure(change=_dropout, strength=0.5, source="Srivastava 2014"),
    "early-stopping": Countermeasure(change=_early_stopping, source="Prechelt 1998"),
    "features": Countermeasure(change=_mode("features"), source="Kumar 2022, linear probing"),
    "lp-ft": Countermeasure(change=_lp_ft, source="Kumar 2022"),
    "augment": Countermeasure(change=_augment, source="He 2016, section 4.2"),
    "dp": Countermeasure(change=_dp, strength=8.0, source="Abadi 2016"),
}


def candidates(recipe: Recipe, asked: Sequence[str], side: int | None) -> Candidates:
    """Recipes with the requested countermeasures (NAME or NAME=STRENGTH), or with all known ones.

    `side` is that of the images in pixels, None for other data. Raises ConfigError on an unknown name, or a strength
    that is none.
    """
    made: list[Candidate] = []
    refused: dict[str, Text] = {}
    for text in dict.fromkeys(asked) or KNOWN:
        name, measure, strength = _read(text)
        label = name if strength is None else f"{name}={strength:g}"
        try:
            changes = measure.change(recipe, strength or 0.0, side)
            changed = parse(_merged(recipe.model_dump(mode="json"), changes), label)
        except InapplicableError as error:
            refused[label] = error.why
        except RecipeError as error:
            refused[label] = error.what
        else:
            made.append(Candidate(name=label, recipe=changed))
    return Candidates(recipes=tuple(made), refused=refused)


def check(asked: Sequence[str]) -> None:
    """Raises ConfigError on an unknown name, or an invalid strength."""
    for text in asked:
        _read(text)


def _read(text: str) -> tuple[str, Countermeasure, float | None]:
    name, equals, given = text.strip().partition("=")
    if name not in KNOWN:
        raise ConfigError(f"unknown countermeasure {name!r}. {did_you_mean(name, KNOWN)}", where="--try")
    measure = KNOWN[name]
    if not equals:
        return name, measure, measure.strength
    try:
        strength = float(given)
    except ValueError:
        strength = 0.0
    if measure.strength is None or not 0 < strength < float("inf"):
        reason = "takes no strength" if measure.strength is None else f"{given!r} is not a strength above 0"
        raise ConfigError(f"{name}: {reason}.", where="--try", do="Write NAME or NAME=STRENGTH, l2-sp=0.01.")
    return name, measure, strength


def _merged(content: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    """Sections are merged key by key; everything else is replaced."""
    merged = dict(content)
    for key, value in changes.items():
        old = content.get(key)
        merged[key] = {**old, **value} if isinstance(old, dict) and isinstance(value, Mapping) else value
    return merged
