"""What the drift probe draws: data only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int, Int8, Shaped, UInt8

from probes.drift.deletion import SHARES
from probes.drift.index import Placed
from probes.result import Axis, Chart, Gallery, GalleryRow

SHOWN = 6


def similarity_chart(placed: dict[str, Placed]) -> Chart:
    """Each similarity measure: to the reference, between floor and ceiling."""
    rows = []
    for measure, one in placed.items():
        for whom, values in (
            ("another seed", one.floor),
            ("reference", one.reference),
            ("random weights", one.ceiling),
        ):
            mean, half = float(values.mean()), 1.96 * float(values.std(ddof=1)) / np.sqrt(len(values))
            rows.append((measure, whom, mean, mean - half, mean + half))
    names = ("measure", "compared with", "similarity", "low", "high")
    return Chart(
        name="similarity",
        mark="interval",
        title="How alike the attributions are to those of …",
        caption="Mean over samples with a 95 % interval (normal); 1 is the same map.",
        columns={name: [row[i] for row in rows] for i, name in enumerate(names)},
        x=Axis(column="measure", title="measure", scale="category"),
        y=Axis(column="similarity", title="similarity"),
        series="compared with",
        low="low",
        high="high",
    )


def deletion_chart(
    by_attribution: Float[np.ndarray, "chosen shares"], at_random: Float[np.ndarray, "chosen shares"]
) -> Chart:
    columns: dict[str, list[float] | list[str]] = {"share": [], "probability": [], "low": [], "high": [], "order": []}
    for order, curves in (("by attribution", by_attribution), ("at random", at_random)):
        half = 1.96 * curves.std(axis=0, ddof=1) / np.sqrt(len(curves))
        for i, share in enumerate(SHARES):
            mean = float(curves[:, i].mean())
            row = (share, mean, mean - float(half[i]), mean + float(half[i]))
            for name, value in zip(("share", "probability", "low", "high"), row, strict=True):
                columns[name].append(value)  # type: ignore[arg-type]
            columns["order"].append(order)  # type: ignore[arg-type]
    return Chart(
        name="deletion",
        mark="line",
        title="Deleting what the explanation calls important",
        caption=f"Mean probability of the label over {len(by_attribution)} held-out samples, with a 95 % interval. "
        "A good explanation falls faster than a random order.",
        columns=columns,
        x=Axis(column="share", title="share of positions deleted"),
        y=Axis(column="probability", title="probability of the label"),
        series="order",
        low="low",
        high="high",
    )


def gallery(
    inputs: Shaped[np.ndarray, "samples ..."],
    chosen: Int[np.ndarray, " chosen"],
    titles: Sequence[str],
    reference: Float[np.ndarray, "chosen height width"],
    audited: Float[np.ndarray, "chosen height width"],
    similarity: Float[np.ndarray, " chosen"],
    reference_name: str,
) -> Gallery:
    """The most drifted samples and the median ones: input, both attributions, their difference."""
    ranked = np.argsort(similarity, kind="stable")
    middle = len(ranked) // 2
    picked = [*ranked[: SHOWN // 2], *ranked[middle : middle + SHOWN // 2]]
    rows = []
    for i in dict.fromkeys(int(p) for p in picked):
        maps = [_unit(reference[i]), _unit(audited[i])]
        rows.append(
            GalleryRow(
                sample=int(chosen[i]),
                title=f"{titles[i]}, similarity {similarity[i]:.2f}",
                pictures=(_image(inputs[chosen[i]]), *(_signed(m) for m in (*maps, maps[1] - maps[0]))),
            )
        )
    return Gallery(
        name="gallery",
        title="The most drifted samples, then the median ones",
        caption="Red speaks for the prediction, blue against it; each map is scaled to its own largest value.",
        headings=("input", reference_name, "audited", "difference"),
        rows=tuple(rows),
    )


def _unit(values: Float[np.ndarray, "height width"]) -> Float[np.ndarray, "height width"]:
    top = float(np.abs(values).max())
    return values / top if top > 0 else values


def _signed(values: Float[np.ndarray, "height width"]) -> Int8[np.ndarray, "height width"]:
    return np.clip(np.round(values * 127), -127, 127).astype(np.int8)


def _image(sample: Shaped[np.ndarray, "height width channels"]) -> UInt8[np.ndarray, "height width channels"]:
    if sample.dtype == np.uint8:
        return sample
    low, high = float(sample.min()), float(sample.max())
    return np.round((sample - low) / max(high - low, 1e-12) * 255).astype(np.uint8)
