"""Duplicate pairs, listed and side by side, as data; hashes of records are not included."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8

from probes.contamination.duplicates import Duplicates
from probes.contamination.registration import sampled
from probes.contamination.thumbnails import reduction
from probes.evidence import Evidence
from probes.message import Message
from probes.result import Gallery, GalleryRow, Table

LISTED = 300
SHOWN = 16
EXACT_SHOWN = 3
LARGEST = 128
TURNED, SCALED = 2.0, 0.03
"""Degrees, and change of scale, from which a copy is described as turned, or cropped or enlarged."""
Matrix = Float32[np.ndarray, "2 3"]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Both indices of a pair and how one comes from the other."""

    one: int
    other: int
    how: str
    distance: float
    across: bool
    flipped: bool = False
    matrix: Matrix = field(default_factory=lambda: np.eye(2, 3, dtype=np.float32))


def ranked_pairs(
    found: Duplicates,
    member: Bool[np.ndarray, " samples"],
    held_out: Bool[np.ndarray, " samples"],
    *,
    pictures: bool,
) -> list[Pair]:
    """Pairs across the split first, exact before near, closest first."""
    unmoved = "changed in colour or brightness, or compressed" if pictures else "nearly equal"

    def across(i: int, j: int) -> bool:
        return bool((member[i] and held_out[j]) or (member[j] and held_out[i]))

    star = _through_members(found, member)
    pairs = [Pair(one=i, other=j, how="exact", distance=0.0, across=across(i, j)) for i, j in star]
    near = found.near
    for i, j, distance, flipped, matrix in zip(
        near.one, near.other, near.distance, near.flipped, near.matrix, strict=True
    ):
        pairs.append(
            Pair(
                one=int(i),
                other=int(j),
                how=_how(bool(flipped), matrix) or unmoved,
                distance=float(distance),
                across=across(int(i), int(j)),
                flipped=bool(flipped),
                matrix=matrix,
            )
        )
    return sorted(pairs, key=lambda pair: (not pair.across, pair.how != "exact", pair.distance, pair.one, pair.other))


def _how(flipped: bool, matrix: Matrix) -> str:
    """The changes that can be seen; empty if there is none."""
    linear, shift = matrix[:, :2].astype(np.float64), np.abs(matrix[:, 2]).max()
    turn = abs(np.degrees(np.arctan2(linear[1, 0] - linear[0, 1], linear[0, 0] + linear[1, 1])))
    scale = np.sqrt(max(0.0, float(np.linalg.det(linear))))
    seen = {
        "mirrored": flipped,
        "moved by a pixel": np.array_equal(linear, np.eye(2)) and shift == 1,
        "moved": shift >= 1.5,
        "turned": turn >= TURNED,
        "cropped or enlarged": abs(scale - 1) >= SCALED,
    }
    return ", ".join(name for name, there in seen.items() if there)


def _through_members(found: Duplicates, member: Bool[np.ndarray, " samples"]) -> list[tuple[int, int]]:
    """Each repeated sample with the first member among its equals, so that a pair across the split is shown as such."""
    repeated = np.unique(found.exact)
    first: dict[int, int] = {}
    for sample in sorted(repeated.tolist(), key=lambda sample: (not member[sample], sample)):
        first.setdefault(int(found.content[sample]), sample)
    pairs = [(first[int(found.content[sample])], int(sample)) for sample in repeated]
    return [(one, other) for one, other in pairs if one != other]


def role(evidence: Evidence, sample: int) -> str:
    pool = evidence.pool
    names = {"member": pool.member, "held out": pool.held_out, "validation": pool.validation}
    return next((name for name, mask in names.items() if mask[sample]), "unused")


def pairs_table(evidence: Evidence, pairs: list[Pair]) -> Table:
    shown = pairs[:LISTED]

    def label(sample: int) -> str:
        return evidence.classes[int(evidence.labels[sample])]

    pictures = evidence.modality == "image" and evidence.inputs.ndim == 4
    residual = Message("contamination.residual-detail") if pictures else Message("contamination.residual-distance")
    more = Message("contamination.first", {"shown": LISTED, "pairs": len(pairs)}) if len(pairs) > LISTED else None
    return Table(
        name="duplicate-pairs",
        title=Message("contamination.duplicate-pairs.title"),
        caption=Message("contamination.duplicate-pairs.caption", {"residual": residual, "more": more}),
        columns={
            "sample": [pair.one for pair in shown],
            "role": [role(evidence, pair.one) for pair in shown],
            "label": [label(pair.one) for pair in shown],
            "copy": [pair.other for pair in shown],
            "copy's role": [role(evidence, pair.other) for pair in shown],
            "copy's label": [label(pair.other) for pair in shown],
            "how": [pair.how for pair in shown],
            "residual": [round(pair.distance, 5) for pair in shown],
        },
    )


def pairs_gallery(evidence: Evidence, pairs: list[Pair]) -> Gallery | None:
    """Side by side with what differs once they are aligned; None if samples are not 8-bit images."""
    inputs = evidence.inputs
    if evidence.modality != "image" or inputs.ndim != 4 or inputs.dtype != np.uint8 or not pairs:
        return None
    rows = []
    for pair in _worth_seeing(pairs):
        pictures = (inputs[pair.one], inputs[pair.other], _difference(inputs[pair.one], inputs[pair.other], pair))
        names = [
            Message(
                "contamination.sample",
                {
                    "sample": sample,
                    "role": role(evidence, sample),
                    "class": evidence.classes[int(evidence.labels[sample])],
                },
            )
            for sample in (pair.one, pair.other)
        ]
        rows.append(
            GalleryRow(
                sample=pair.one,
                title=Message("contamination.pair", {"one": names[0], "other": names[1], "how": pair.how}),
                pictures=tuple(_small(picture) for picture in pictures),
            )
        )
    return Gallery(
        name="duplicates",
        title=Message("contamination.duplicates.title"),
        caption=Message("contamination.duplicates.caption", {"shown": len(rows), "pairs": len(pairs)}),
        headings=("sample", "copy", "difference"),
        rows=tuple(rows),
    )


def _worth_seeing(pairs: list[Pair]) -> list[Pair]:
    """Two equal images look alike: few of those, then every kind of near copy in turn; across the split first."""
    turn: dict[tuple[bool, str], int] = {}
    ranked: list[tuple[bool, int, int, Pair]] = []
    for place, pair in enumerate(pairs):
        kind = (pair.across, pair.how)
        turn[kind] = turn.get(kind, 0) + 1
        late = pair.how == "exact" and turn[kind] > EXACT_SHOWN
        ranked.append((not pair.across, turn[kind] + (SHOWN if late else 0), place, pair))
    first = [pair for *_, pair in sorted(ranked, key=lambda one: one[:3])[:SHOWN]]
    return sorted(first, key=pairs.index)


def _difference(
    one: UInt8[np.ndarray, "height width channels"], other: UInt8[np.ndarray, "height width channels"], pair: Pair
) -> UInt8[np.ndarray, "height width channels"]:
    step = reduction(max(one.shape[:2]))
    matrix = pair.matrix[None].copy()
    matrix[:, :, 2] *= step
    given = (one[:, ::-1] if pair.flipped else one).astype(np.float32)
    aligned = sampled(given[None], matrix, 0)[0][0]
    return np.asarray(np.rint(np.abs(aligned - other)), dtype=np.uint8)


def _small(picture: UInt8[np.ndarray, "height width channels"]) -> UInt8[np.ndarray, "h w channels"]:
    """Every k-th pixel of large images: a report shows thumbnails."""
    step = -(-max(picture.shape[:2]) // LARGEST)
    return picture[::step, ::step]


def conflicting(found: Duplicates, labels: Int64[np.ndarray, " samples"]) -> list[list[int]]:
    """Groups of copies whose labels differ."""
    groups = [np.flatnonzero(found.group == number) for number in np.unique(found.group[found.group >= 0])]
    return [group.tolist() for group in groups if len(np.unique(labels[group])) > 1]
