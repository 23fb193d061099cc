"""The recipe: everything that determines a fine-tuned model, so that it can be trained again on other samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from audit.config.demand import Demand
from audit.config.first_mistake import first_mistake
from audit.config.overrides import overridden, place
from audit.config.section import Section
from audit.config.toml_file import read_toml
from audit.config.transforms import Transform
from audit.data.kinds import Data
from audit.data.split import SplitSection
from probes.errors import RecipeError

MODES = ("features", "parameters", "layers", "lp-ft", "gradual", "adapter", "auto")

REFUSED_UNDER_PRIVACY = {
    Demand.ALIGN: "the other domain's samples would not be accounted for.",
    Demand.BSS: "it mixes samples.",
    Demand.ATTENTION_TRANSFER: "it looks inside blocks, which the rewrite for per-sample gradients dissolves.",
    Demand.GRADIENT_CLIPPING: "privacy.clip_norm clips each sample's gradient.",
    Demand.PHASES: "train in one phase.",
    Demand.COMPILE: "per-sample gradients need eager mode.",
    Demand.MIXED_PRECISION: "per-sample gradients are clipped in float32.",
    Demand.AUTO: "it chooses by training on the members without noise. Name a mode.",
    Demand.MEMBERS_NORMALISATION: "their mean and standard deviation get no noise. Give a public mean and std.",
}
LOOKS_INSIDE = (Demand.BSS, Demand.ATTENTION_TRANSFER, Demand.ALIGN)
"""These read features by hooks, which compiled code does not run."""


class InputSection(Section):
    """How stored samples become the model's input tensors: resized, cropped, normalised; the same for every model."""

    size: int | None = Field(default=None, ge=1)
    """Images are resized to size × size."""
    sides: Literal["both", "shorter"] = "both"
    """`shorter`: the shorter side becomes `size`, and the proportions are kept."""
    resample: Literal["nearest", "bilinear", "bicubic"] = "bilinear"
    """How pixels are interpolated in resizing."""
    crop: int | None = Field(default=None, ge=1)
    """Then the middle crop × crop pixels are taken."""
    channels: int | None = None
    """Greyscale images are repeated to this many channels."""
    channel_order: Literal["rgb", "bgr"] = "rgb"
    """The order in which the model reads the channels of images, which are stored as RGB; `mean` and `std` are in that
    order."""
    mean: tuple[float, ...] = (0.5,)
    std: tuple[Annotated[float, Field(gt=0)], ...] = (0.5,)
    normalise: Literal["given", "weights", "members"] = "given"
    """`weights`: size, crop, mean and std from the torchvision weights' own transforms. `members`: mean and std of each
    channel or feature over the members only, whatever is given here."""


class TrainSection(Section):
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    lr: float = Field(default=0.01, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=0.0, ge=0)
    """The optimizer's own weight decay; `regularise.l2` is a penalty in the loss."""
    decays: Literal["all", "weights"] = "all"
    """`weights`: weight_decay exempts biases and normalisation, which are vectors, as in transformers' Trainer."""
    schedule: Literal["constant", "cosine", "linear", "step"] = "constant"
    warmup_epochs: float = Field(default=0.0, ge=0)
    milestones: tuple[int, ...] = ()
    """Epochs after which the rate is multiplied by `gamma` (schedule = "step")."""
    gamma: float = Field(default=0.1, gt=0)
    epochs: int = Field(default=10, ge=1, le=1_000_000)
    batch_size: int = Field(default=64, ge=1)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    clip_norm: float | None = Field(default=None, gt=0)
    precision: Literal["float32", "bfloat16"] = "float32"
    compile: bool = False
    patience: int | None = Field(default=None, ge=1)
    """Early stopping: stop after this many epochs without a fall of the validation loss."""
    select: Literal["last", "best"] = "last"
    """Which epoch's weights are kept; `best` is chosen by validation loss. Held-out samples never choose anything."""

    @property
    def by_validation(self) -> bool:
        """Whether validation samples determine when to stop or which weights to keep."""
        return self.patience is not None or self.select == "best"


class SourceTraining(Section):
    """The source task, trained here: the first stage of a two-stage transfer."""

    data: Data
    split: SplitSection
    train: TrainSection = TrainSection()

    @model_validator(mode="after")
    def _chooses(self) -> SourceTraining:
        _chooses_on_something(self.train, self.split)
        return self


class SourceSection(Section):
    """θ_s: an architecture and its weights. `model` is `torchvision:NAME`, `timm:NAME`, `transformers:FOLDER`,
    `peft:FOLDER`, or a factory `package.module:function`, searched for beside the recipe first."""

    model: str
    options: dict[str, Any] = Field(default={})
    classes: int | None = None
    """How many classes the source weights' head has."""
    weights: str | None = None
    """A torchvision weights name (IMAGENET1K_V1), `pretrained` for timm, a file, or a folder of `save_pretrained`."""
    sha256: str | None = None
    """SHA-256 of the weights file, checked if given."""
    training: SourceTraining | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> SourceSection:
        if self.weights and self.training:
            raise ValueError("give weights or training, not both")
        return self


class HeadSection(Section):
    """The new classifier: a linear layer unless `factory` makes another from (in_features, classes)."""

    name: str | None = None
    """The module to replace, if it is not the network's last linear layer."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout of the head's input."""
    keep: bool = False
    """Whether to continue from the source's own classifier if it has as many classes, as libraries that load one do."""
    factory: str | None = None


class TransferSection(Section):
    """How much of θ_s is trained further.

    features    only the head; the backbone is frozen, in eval mode
    parameters  all
    last:N      the head and the N last stages
    layers      the head and the modules named in `layers`
    lp-ft       the head for `lp_epochs`, then all (Kumar 2022)
    adapter     the head and what the network itself marks as trainable (PEFT's adapters)
    gradual     the head, then one more stage every `unfreeze_every` epochs (Howard & Ruder 2018)
    auto        one of features, last:1, parameters with or without L2-SP, by cross-validation within the members
    """

    mode: str = "parameters"
    layers: tuple[str, ...] = ()
    lp_epochs: int = Field(default=5, ge=1, le=1_000_000)
    lp_lr: float | None = Field(default=None, gt=0)
    unfreeze_every: int = Field(default=1, ge=1)
    lr_decay: float = Field(default=1.0, gt=0, le=1)
    """A stage's learning rate is this factor times that of the stage above it."""
    dropout: Literal["trained", "all"] = "trained"
    """Where dropout is active: in trained modules, or also in frozen ones, as with trainers that put the whole network
    in train mode (transformers, PEFT, Lightning)."""
    batchnorm: Literal["update", "frozen"] = "update"
    """Whether BatchNorm inside trained stages updates its statistics; inside frozen ones it never does."""

    @model_validator(mode="after")
    def _layers(self) -> TransferSection:
        if (self.mode == "layers") != bool(self.layers):
            raise ValueError('`layers` belongs to mode = "layers"')
        return self

    @field_validator("mode")
    @classmethod
    def _known(cls, mode: str) -> str:
        if mode in MODES or (mode.startswith("last:") and mode[5:].isdigit()):
            return mode
        raise ValueError(f"unknown transfer mode {mode!r}. Known: {', '.join(MODES)}, last:N")


class RegulariseSection(Section):
    """R(θ) = l1 Σ|θ_i| + l2 Σθ_i² + l2_sp Σ(θ_i − θ_s,i)² + l2_head Σ_head θ_i², over the trained parameters.

    `bss` penalises the smallest singular values of a minibatch's features (Chen 2019), `attention` keeps the stages'
    attention maps near the source model's (Zagoruyko & Komodakis 2017).
    """

    l1: float = Field(default=0.0, ge=0)
    l2: float = Field(default=0.0, ge=0)
    on: Literal["all", "weights"] = "all"
    """`weights`: L1 and L2 exempt biases and normalisation, which are vectors."""
    l2_sp: float = Field(default=0.0, ge=0)
    l2_head: float = Field(default=0.0, ge=0)
    """The second term of L2-SP (Li 2018, eq. 4), on parameters that θ_s does not have."""
    bss: float = Field(default=0.0, ge=0)
    bss_k: int = Field(default=1, ge=1)
    attention: float = Field(default=0.0, ge=0)
    source_share: float = Field(default=0.0, ge=0, lt=1)
    """After training, each weight that θ_s has becomes (1 − share) θ + share θ_s (WiSE-FT, Wortsman 2022)."""


class AlignSection(Section):
    """Adversarial domain alignment (DANN, Ganin 2016) with the unlabelled samples of another data set."""

    data: Data
    weight: float = Field(default=1.0, gt=0)
    hidden: int = Field(default=64, ge=1)


class PrivacySection(Section):
    """DP-SGD (Abadi 2016) through Opacus: exactly one of a target ε and a noise multiplier."""

    epsilon: float | None = Field(default=None, gt=0)
    noise_multiplier: float | None = Field(default=None, gt=0)
    delta: float = Field(default=1e-5, gt=0, lt=1)
    clip_norm: float = Field(default=1.0, gt=0)
    accountant: Literal["prv", "rdp"] = "prv"
    batchnorm: Literal["fold", "refuse"] = "fold"
    """`fold`: BatchNorm becomes part of the convolutions, with equal outputs before training."""

    @model_validator(mode="after")
    def _one(self) -> PrivacySection:
        if (self.epsilon is None) == (self.noise_multiplier is None):
            raise ValueError("give exactly one of epsilon and noise_multiplier")
        return self


class Recipe(Section):
    name: str = "recipe"
    seed: int = Field(default=0, ge=0)
    data: Data
    split: SplitSection
    input: InputSection = InputSection()
    augment: tuple[Transform, ...] = ()
    source: SourceSection
    head: HeadSection = HeadSection()
    transfer: TransferSection = TransferSection()
    train: TrainSection = TrainSection()
    regularise: RegulariseSection = RegulariseSection()
    align: AlignSection | None = None
    privacy: PrivacySection | None = None
    canaries: int = Field(default=0, ge=0)
    """Mislabelled samples, each included with probability 1/2 and recorded, for one-run auditing."""

    @field_validator("transfer", mode="before", json_schema_input_type=str | TransferSection)
    @classmethod
    def _mode(cls, value: object) -> object:
        return {"mode": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _transforms(self) -> Recipe:
        """A misspelt transform is refused here rather than after the source has been trained."""
        if self.augment:
            try:
                for transform in self.augment:
                    transform.made()
            except RecipeError as error:
                raise ValueError(f"augment: {error.what} {error.do}".strip()) from None
        return self

    @model_validator(mode="after")
    def _fits(self) -> Recipe:
        _chooses_on_something(self.train, self.split)
        if self.transfer.mode == "lp-ft" and self.transfer.lp_epochs >= self.train.epochs:
            raise ValueError(
                f"lp-ft trains only the head for transfer.lp_epochs = {self.transfer.lp_epochs} of train.epochs = "
                f"{self.train.epochs}, which leaves none to train everything: lower lp_epochs"
            )
        if self.train.compile and (inside := [name for name in LOOKS_INSIDE if name in demands(self)]):
            raise ValueError(
                f"train.compile cannot be combined with {inside[0]}, which needs the network's internals: omit one "
                f"of them"
            )
        if self.privacy:
            for refused, why in REFUSED_UNDER_PRIVACY.items():
                if refused in demands(self) | _looks_at_members(self):
                    raise ValueError(f"DP-SGD does not support {refused}: {why}")
        return self


def _chooses_on_something(train: TrainSection, split: SplitSection) -> None:
    if train.by_validation and not (split.validation or split.file):
        raise ValueError("early stopping and the best epoch need validation samples: set split.validation")


def _looks_at_members(recipe: Recipe) -> frozenset[Demand]:
    """What is learned from the members before training begins."""
    asked = {
        Demand.AUTO: recipe.transfer.mode == "auto",
        Demand.MEMBERS_NORMALISATION: recipe.input.normalise == "members",
    }
    return frozenset(name for name, value in asked.items() if value)


def demands(recipe: Recipe) -> frozenset[Demand]:
    """What the recipe requires beyond plain minibatch steps on the cross-entropy of stored samples.

    A fast engine lists the demands that it supports; a recipe with any other demand is trained by the visible loop.
    """
    train, transfer, regularise = recipe.train, recipe.transfer, recipe.regularise
    asked = {
        Demand.AUGMENT: recipe.augment,
        Demand.ALIGN: recipe.align,
        Demand.PRIVACY: recipe.privacy,
        Demand.CANARIES: recipe.canaries,
        Demand.DROPOUT: recipe.head.dropout,
        Demand.CUSTOM_HEAD: recipe.head.factory,
        Demand.LABEL_SMOOTHING: train.label_smoothing,
        Demand.GRADIENT_CLIPPING: train.clip_norm,
        Demand.WEIGHT_DECAY: train.weight_decay,
        Demand.WEIGHT_DECAY_OF_WEIGHTS: train.weight_decay and train.decays == "weights",
        Demand.SCHEDULE: train.schedule != "constant" or train.warmup_epochs,
        Demand.EARLY_STOPPING: train.patience,
        Demand.BEST_EPOCH: train.select == "best",
        Demand.MIXED_PRECISION: train.precision != "float32",
        Demand.COMPILE: train.compile,
        Demand.PHASES: transfer.mode in ("lp-ft", "gradual"),
        Demand.LAYER_WISE_RATES: transfer.lr_decay != 1,
        Demand.L1: regularise.l1,
        Demand.L2: regularise.l2 or regularise.l2_head,
        Demand.L2_SP: regularise.l2_sp,
        Demand.BSS: regularise.bss,
        Demand.ATTENTION_TRANSFER: regularise.attention,
        Demand.INTERPOLATION: regularise.source_share,
    }
    return frozenset(name for name, value in asked.items() if value)


def json_schema() -> dict[str, Any]:
    """JSON Schema of a recipe; `audit/config/schema/recipe.schema.json` is this, published (`audit schema`)."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Recipe.model_json_schema(mode="validation")}


def parse(content: dict[str, Any], where: str) -> Recipe:
    """Raises RecipeError with the first mistake, its key, and the nearest known name."""
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        raise RecipeError(first_mistake(error, Recipe, content), where=where) from None


Complete = Callable[[dict[str, Any]], dict[str, Any]]
"""Completes what a user wrote with what a model's folder states."""


@dataclass(frozen=True, kw_only=True)
class RecipeFile:
    """A recipe that was read once; it has no `path` if a program made it."""

    recipe: Recipe
    path: Path | None = None
    trains: frozenset[str] | None = None
    """Keys of [train] that its user wrote; None: all that it has."""

    @classmethod
    def read(cls, path: Path, changes: Sequence[str] = (), complete: Complete | None = None) -> RecipeFile:
        """`changes` replace single values: "train.epochs=5". Raises RecipeError."""
        content = overridden(read_toml(path, RecipeError), changes, RecipeError)
        recipe = parse(complete(content) if complete else content, place(path, changes))
        return cls(recipe=recipe, path=path, trains=keys_of_train(content))

    @property
    def folder(self) -> Path:
        """What the recipe's relative paths are relative to."""
        return Path.cwd() if self.path is None else self.path.resolve().parent


def load(path: Path, changes: Sequence[str] = (), complete: Complete | None = None) -> Recipe:
    """`changes` replace single values: "train.epochs=5". Raises RecipeError."""
    return RecipeFile.read(path, changes, complete).recipe


def keys_of_train(content: Mapping[str, Any]) -> frozenset[str]:
    """The keys of [train] in a recipe's content.

    >>> sorted(keys_of_train({"train": {"lr": 0.1, "epochs": 3}}))
    ['epochs', 'lr']
    """
    train = content.get("train")
    return frozenset(train) if isinstance(train, Mapping) else frozenset()
