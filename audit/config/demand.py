"""What a recipe may require of the engine that trains it."""

from __future__ import annotations

from enum import StrEnum


class Demand(StrEnum):
    """A requirement beyond plain minibatch steps on the cross-entropy of stored samples. Its value is its name in
    messages."""

    AUGMENT = "augment"
    ALIGN = "align"
    PRIVACY = "privacy"
    CANARIES = "canaries"
    DROPOUT = "dropout"
    CUSTOM_HEAD = "custom head"
    LABEL_SMOOTHING = "label smoothing"
    GRADIENT_CLIPPING = "gradient clipping"
    WEIGHT_DECAY = "weight decay"
    WEIGHT_DECAY_OF_WEIGHTS = "weight decay on weights only"
    SCHEDULE = "schedule"
    EARLY_STOPPING = "early stopping"
    BEST_EPOCH = "best epoch"
    MIXED_PRECISION = "mixed precision"
    COMPILE = "compile"
    PHASES = "phases"
    LAYER_WISE_RATES = "layer-wise rates"
    L1 = "L1"
    L2 = "L2"
    L2_SP = "L2-SP"
    BSS = "BSS"
    ATTENTION_TRANSFER = "attention transfer"
    INTERPOLATION = "interpolation"
    # These learn from the members before training begins.
    AUTO = "auto"
    MEMBERS_NORMALISATION = "normalisation on the members"
