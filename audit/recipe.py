"""The recipe: everything that makes a fine-tuned model, so that it can be made again on other samples."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from audit.data.digits import Digits
from audit.data.npz import Npz
from probes.errors import RecipeError, did_you_mean

Data = Annotated[Digits | Npz, Field(discriminator="kind")]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SplitSection(Section):
    """Numbers of samples, or shares of the data set where given as fractions."""

    members: int | float
    held_out: int | float
    validation: int | float = 0


class InputSection(Section):
    """How stored samples become the tensors the model takes."""

    size: int | None = None
    """Images are resized to size × size (bilinear)."""
    channels: int | None = None
    """Grey images are repeated to this many channels."""
    mean: tuple[float, ...] = (0.5,)
    std: tuple[float, ...] = (0.5,)


class TrainSection(Section):
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    lr: float = Field(default=0.01, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    schedule: Literal["constant", "cosine"] = "constant"
    epochs: int = Field(default=10, ge=1)
    batch_size: int = Field(default=64, ge=1)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    clip_norm: float | None = Field(default=None, gt=0)


class SourceTraining(Section):
    """The source task, trained here: the first stage of a two-stage transfer."""

    data: Data
    split: SplitSection
    train: TrainSection = TrainSection()


class SourceSection(Section):
    """θ_s: an architecture and its weights. `model` is `torchvision:NAME` or a factory `package.module:function`."""

    model: str
    options: dict[str, Any] = {}
    classes: int | None = None
    """How many classes the source weights' head has."""
    weights: str | None = None
    """A torchvision weights name (IMAGENET1K_V1), or a file."""
    sha256: str | None = None
    training: SourceTraining | None = None


class TransferSection(Section):
    """How much of θ_s is trained on: `features` (head only), `parameters` (all), `last:N` (head and N last stages)."""

    mode: str = "parameters"

    @field_validator("mode")
    @classmethod
    def _known(cls, mode: str) -> str:
        if mode in ("features", "parameters") or (mode.startswith("last:") and mode[5:].isdigit()):
            return mode
        raise ValueError(f"unknown transfer mode {mode!r}. Known: features, parameters, last:N.")


class RegulariseSection(Section):
    """R(θ) = l1 Σ|θ_i| + l2 Σθ_i² + l2_sp Σ(θ_i − θ_s,i)², over the trained parameters (L2-SP: those θ_s has)."""

    l1: float = Field(default=0.0, ge=0)
    l2: float = Field(default=0.0, ge=0)
    l2_sp: float = Field(default=0.0, ge=0)


class Recipe(Section):
    name: str = "recipe"
    seed: int = Field(default=0, ge=0)
    data: Data
    split: SplitSection
    input: InputSection = InputSection()
    source: SourceSection
    transfer: TransferSection = TransferSection()
    train: TrainSection = TrainSection()
    regularise: RegulariseSection = RegulariseSection()

    @field_validator("transfer", mode="before")
    @classmethod
    def _mode(cls, value: object) -> object:
        return {"mode": value} if isinstance(value, str) else value


def parse(content: dict[str, Any], where: str) -> Recipe:
    """Raises RecipeError with the first mistake, its key, and the nearest known name."""
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        raise RecipeError(*_first(error), where=where) from None


def load(path: Path) -> Recipe:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RecipeError("no such recipe", where=str(path)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"cannot be read: {error}", where=str(path)) from None
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"is not TOML: {error}", where=str(path)) from None
    return parse(content, str(path))


def _first(error: ValidationError) -> tuple[str]:
    mistake = error.errors()[0]
    key = ".".join(str(part) for part in mistake["loc"])
    if mistake["type"] == "extra_forbidden":
        known = _siblings(Recipe, [str(part) for part in mistake["loc"][:-1]])
        return (f"unknown key {key!r}. {did_you_mean(str(mistake['loc'][-1]), known)}",)
    return (f"{key}: {mistake['msg'].removeprefix('Value error, ')}",)


def _siblings(section: Any, path: list[str]) -> list[str]:
    """The known keys of the section that the path leads to (a union's member is named by its kind)."""
    for part in path:
        fields = getattr(section, "model_fields", {})
        if part in fields:
            section = fields[part].annotation
        options = [section, *getattr(section, "__args__", ())]
        options = [inner for option in options for inner in (option, *getattr(option, "__args__", ()))]
        for option in options:
            kind = getattr(option, "model_fields", {}).get("kind")
            if kind is not None and kind.default == part:
                section = option
                break
        else:
            models = [option for option in options if hasattr(option, "model_fields")]
            section = models[0] if len(models) == 1 or (part in fields and models) else section
    return list(getattr(section, "model_fields", {}))
