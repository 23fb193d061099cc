"""All duplicates of a data set: exact and near, as pairs and as groups."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int64, Shaped

from probes.contamination.column_leakage import scaled
from probes.contamination.edited_rows import edited_rows
from probes.contamination.near import Near, nothing
from probes.contamination.near_pictures import near_pictures
from probes.contamination.near_texts import near_texts
from probes.contamination.near_vectors import near_features, near_rows, with_pairs
from probes.contamination.nearest_neighbours import unit
from probes.contamination.reordered_rows import reordered_rows
from probes.evidence import Evidence
from probes.large_arrays import parts, taken
from probes.measures.connected import connected
from probes.measures.embedding import Embedding
from probes.measures.exact_duplicates import exact_pairs, together


@dataclass(frozen=True, kw_only=True, eq=False)
class Duplicates:
    """`content` has equal numbers for equal samples; `exact` pairs each repeated sample with the first of its equals;
    `near` considers only the first of equals."""

    content: Int64[np.ndarray, " samples"]
    exact: Int64[np.ndarray, "exact 2"]
    near: Near

    @cached_property
    def group(self) -> Int64[np.ndarray, " samples"]:
        """A number for each set of samples that are copies of one another, −1 for samples without a copy."""
        n = len(self.content)
        near = np.stack([self.near.one, self.near.other], axis=1)
        component = connected(np.concatenate([self.exact, near]), n)
        alone = np.bincount(component, minlength=n)[component] == 1
        numbers = np.unique(component[~alone], return_inverse=True)[1]
        group = np.full(n, -1, dtype=np.int64)
        group[~alone] = numbers
        return group

    def equal_to(self, some: Bool[np.ndarray, " samples"]) -> Bool[np.ndarray, " samples"]:
        """Which samples are equal to one of `some` (including those themselves)."""
        return np.isin(self.content, self.content[some])

    def near_to(self, some: Bool[np.ndarray, " samples"]) -> Bool[np.ndarray, " samples"]:
        """Which samples are, or equal, a near copy of one of `some`."""
        like = self.equal_to(some)
        touched = np.zeros(len(self.content), dtype=bool)
        touched[self.near.other[like[self.near.one]]] = True
        touched[self.near.one[like[self.near.other]]] = True
        return self.equal_to(touched)


def duplicates(evidence: Evidence, rng: np.random.Generator, *, near: bool = True) -> Duplicates:
    """Over all samples, validation included. Near ones by images if there are any, else by the source model's
    features, else by the columns of a table, where rows that were edited in a few columns, or reordered, count too."""
    content = together(evidence.inputs)[0]
    # One sample per content: equal samples would crowd out the near ones.
    first = np.unique(content, return_index=True)[1]
    found = _near(evidence, first, rng) if near else nothing()
    found = dataclasses.replace(found, one=first[found.one], other=first[found.other])
    return Duplicates(content=content, exact=exact_pairs(content), near=found)


def _near(evidence: Evidence, some: Int64[np.ndarray, " some"], rng: np.random.Generator) -> Near:
    if (sequences := evidence.sequences) is not None:
        return near_texts([f"{sequences.prompts[i]} {sequences.answers[i]}" for i in some])
    features = source_features(evidence)
    features = None if features is None else taken(features, some)
    if evidence.modality == "image" and evidence.inputs.ndim == 4:
        return near_pictures(taken(evidence.inputs, some), features, rng)
    if evidence.modality == "table" and evidence.inputs.dtype.kind in "fiub":
        return near_table(taken(evidence.inputs, some).reshape(len(some), -1), features, rng)
    return nothing() if features is None else near_features(features, rng)


def near_table(
    rows: Shaped[np.ndarray, "samples columns"],
    features: Float[np.ndarray, "samples features"] | None,
    rng: np.random.Generator,
) -> Near:
    """Rows of a table that lie unusually close, in the source model's features if there are any, that were edited in a
    few columns, or whose columns were reordered."""
    more = np.unique(np.concatenate([edited_rows(rows), reordered_rows(rows)]), axis=0)
    if features is not None:
        return with_pairs(near_features(features, rng), more, unit(features, features.mean(axis=0)))
    columns = scaled(rows)
    return with_pairs(near_rows(columns, rng), more, columns)


def source_features(evidence: Evidence) -> Float[np.ndarray, "samples features"] | None:
    """None if the source model was not observed, or is not finite."""
    seen = evidence.observed(Embedding()).get("source")
    if seen is None or len(seen.samples) != len(evidence.labels):
        return None
    features = np.asarray(seen.arrays["embedding"], dtype=np.float32)
    finite = features.ndim == 2 and all(np.isfinite(features[part]).all() for part in parts(*features.shape))
    return features if finite else None
