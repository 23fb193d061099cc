"""The plain text in a folder that `save_pretrained` wrote; nothing heavy is imported for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from audit.storage.bounded import MIB, read_text
from probes.errors import CheckpointError, RecipeError
from probes.json_text import parsed

CONFIG, PROCESSOR, ADAPTER = "config.json", "preprocessor_config.json", "adapter_config.json"


def json_in(path: Path) -> dict[str, Any]:
    """Raises CheckpointError if the file does not hold a JSON object."""
    try:
        content = parsed(read_text(path, 16 * MIB, CheckpointError))
    except ValueError as error:
        raise CheckpointError(f"is not JSON: {str(error)[:200]}", where=str(path)) from None
    if not isinstance(content, dict):
        raise CheckpointError("is not a JSON object.", where=str(path))
    return content


def config_in(folder: Path) -> dict[str, Any]:
    """A folder's config.json. Raises CheckpointError."""
    content = json_in(folder / CONFIG)
    if not isinstance(content.get("model_type"), str):
        raise CheckpointError(
            "has no model_type.", where=str(folder / CONFIG), do="Give a folder that `save_pretrained` wrote."
        )
    return content


RESAMPLE = {0: "nearest", 2: "bilinear", 3: "bicubic"}
"""Pillow's numbers of the kinds of interpolation."""
SQUARE_FROM = 384
"""Pixels from which a processor with `crop_pct` resizes without cropping."""


def input_in(folder: Path) -> dict[str, Any]:
    """The keys of a recipe's [input] from a folder's preprocessor_config.json. Raises RecipeError without one."""
    path = folder / PROCESSOR
    if not path.is_file():
        raise RecipeError(f"{folder.name} has no {path.name}.", where="input.normalise", do="Give size, mean and std.")
    content = json_in(path)
    found = _sizes(content)
    if "size" in found and (named := RESAMPLE.get(content.get("resample", 2))):
        found["resample"] = named
    if content.get("do_flip_channel_order"):
        found["channel_order"] = "bgr"
    return found | _normalisation(content)


def untold_in(folder: Path) -> list[str]:
    """The kind of interpolation of a folder's image processor, if [input] has no key for it."""
    kind = json_in(folder / PROCESSOR).get("resample", 2)
    return [] if kind in RESAMPLE else [f"resample = {kind} ({PROCESSOR})"]


OTHERWISE = (
    "do_pad", "do_thumbnail", "do_align_long_axis", "do_crop_margin", "do_color_quantize", "do_grayscale",
    "do_image_splitting", "do_convert_annotations",
)  # fmt: skip
"""What some image processors do, and [input] cannot say."""


def unfit_in(folder: Path) -> list[str]:
    """What a folder's image processor does to the shape or the content of images that [input] cannot: with another
    preparation, the answers are those of another model."""
    content = json_in(folder / PROCESSOR)
    found = [f"{name} = true" for name in OTHERWISE if content.get(name)]
    for name, used in (("size", content.get("do_resize", True)), ("crop_size", content.get("do_center_crop"))):
        given = content.get(name)
        if not used or not isinstance(given, Mapping):
            continue
        sides = given.get("height"), given.get("width")
        unknown = set(given) - {"height", "width", "shortest_edge"}
        if unknown or (None not in sides and sides[0] != sides[1]):
            found.append(f"{name} = {', '.join(f'{key} {value}' for key, value in given.items())}")
    found += [f"{name} = {content[name]}" for name in ("size_divisor", "max_num_patches") if content.get(name)]
    return [f"{one} ({PROCESSOR})" for one in found]


def timm_input(stated: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a recipe's [input] from what timm states of a model's evaluation.

    >>> timm_input({"input_size": [3, 224, 224], "crop_pct": 0.875, "interpolation": "bicubic"})
    {'size': 256, 'crop': 224, 'sides': 'shorter', 'resample': 'bicubic'}
    """
    found: dict[str, Any] = {name: tuple(stated[name]) for name in ("mean", "std") if stated.get(name)}
    if stated.get("input_size"):
        crop = int(stated["input_size"][-1])
        # As in timm's own evaluation: the resized image is larger than the crop by this factor.
        found |= {"size": int(crop / float(stated.get("crop_pct") or 0.875)), "crop": crop}
        found["sides"] = "both" if stated.get("crop_mode") == "squash" else "shorter"
    named = stated.get("interpolation")
    return found | ({"resample": named} if named in RESAMPLE.values() else {})


def _sizes(content: Mapping[str, Any]) -> dict[str, Any]:
    """`size`, `sides` and `crop`."""
    given, crop = content.get("size"), content.get("crop_size")
    crops = bool(content.get("do_center_crop")) and crop is not None
    shorter = crops  # of old files, which have one number
    if isinstance(given, Mapping):
        shorter = "shortest_edge" in given
        given = given.get("shortest_edge", given.get("height"))
    if isinstance(crop, Mapping):
        crop = crop.get("height", crop.get("shortest_edge"))
    found: dict[str, Any] = {}
    if content.get("do_resize", True) and isinstance(given, int):
        share = content.get("crop_pct")
        if isinstance(share, int | float) and share and (crops or given < SQUARE_FROM):
            return {"size": int(given / share), "sides": "shorter", "crop": crop if crops else given}
        shorter = shorter and not isinstance(share, int | float)
        found = {"size": given, "sides": "shorter" if shorter else "both"}
    return found | ({"crop": crop} if crops and isinstance(crop, int) else {})


def _normalisation(content: Mapping[str, Any]) -> dict[str, Any]:
    """`mean` and `std` of pixels from 0 to 1, whatever range the processor scales them to first."""
    scale = 255 * float(content.get("rescale_factor") or 1 / 255) if content.get("do_rescale", True) else 255.0
    offset = 1.0 if content.get("rescale_offset") else 0.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    # A processor that never normalises (MobileViT's) writes the other steps, and not this one.
    if (
        content.get("do_normalize", "do_rescale" not in content)
        and content.get("image_mean")
        and content.get("image_std")
    ):
        mean, std = tuple(map(float, content["image_mean"])), tuple(map(float, content["image_std"]))
    # EfficientNet's processor divides by the standard deviation twice for the weights with a classifier.
    twice = std if content.get("include_top") else (1.0,) * len(std)
    return {
        "mean": tuple((one + offset) / scale for one in mean),
        "std": tuple(one * other / scale for one, other in zip(std, twice, strict=True)),
    }
