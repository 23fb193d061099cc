"""The likelihood-ratio attack (Carlini et al. 2022)."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Float64

from probes.errors import EvidenceError, NonFiniteError
from probes.large_arrays import parts

Mode = Literal["online", "offline"]
Variance = Literal["per-sample", "global"]
SMALLEST_DEVIATION = 1e-30


def lira_scores(
    phi: Float[np.ndarray, " samples"],
    phi_replicas: Float[np.ndarray, "replicas samples"],
    keep: Bool[np.ndarray, "replicas samples"],
    *,
    mode: Mode = "online",
    variance: Variance = "per-sample",
) -> Float64[np.ndarray, " samples"]:
    """Scores of the likelihood-ratio attack (Carlini et al. 2022).

    phi           margins of the model under attack, φ = log p_y − log(1 − p_y), in nats
    phi_replicas  the margins of each replica
    keep          which replica trained on which sample
    mode          online (the default): in- and out-replicas; offline: out-replicas only
    variance      per-sample (the default), or global: deviations pooled over all samples, which is better below about
                  64 replicas

    Online (algorithm 1): log N(φ; m_in, s_in) − log N(φ; m_out, s_out). Offline (section IV-D): the one-sided z = (φ −
    m_out) / s_out. Centres are medians over replicas, deviations have ddof 0.

    Returns a score for each sample, higher for members. Raises EvidenceError if shapes differ or a sample is never
    out (online: never in), NonFiniteError on NaN.

    >>> keep = np.array([[True, False], [True, False], [False, True], [False, True]])
    >>> replicas = np.array([[3.0, 0.0], [3.2, 0.2], [1.0, 2.0], [1.2, 2.2]])
    >>> scores = lira_scores(np.array([3.1, 0.1]), replicas, keep, variance="global")
    >>> bool(scores[0] > 0 > scores[1])
    True
    """
    check(phi, phi_replicas, keep, mode)
    if variance not in ("per-sample", "global"):
        raise EvidenceError(f"variance is {variance!r}, expected 'per-sample' or 'global'.")
    middle_out, spread_out = _moments(phi_replicas, keep, variance, trained=False)
    own = phi.astype(np.float64)
    if mode == "offline":
        return np.asarray((own - middle_out) / spread_out)
    middle_in, spread_in = _moments(phi_replicas, keep, variance, trained=True)
    return np.asarray(log_density(own, middle_in, spread_in) - log_density(own, middle_out, spread_out))


def log_density(
    x: Float64[np.ndarray, " samples"],
    centre: Float64[np.ndarray, " samples"],
    deviation: Float64[np.ndarray, " #samples"],
) -> Float64[np.ndarray, " samples"]:
    """log N(x; centre, deviation) up to the constant both hypotheses share."""
    return np.asarray(-np.log(deviation) - 0.5 * ((x - centre) / deviation) ** 2)


def _moments(
    phi: Float[np.ndarray, "replicas samples"],
    keep: Bool[np.ndarray, "replicas samples"],
    variance: Variance,
    *,
    trained: bool,
) -> tuple[Float64[np.ndarray, " samples"], Float64[np.ndarray, " #samples"]]:
    """Of the replicas that trained on a sample, or of the others."""
    centre, deviation = np.empty(phi.shape[1]), np.empty(phi.shape[1])
    for part in parts(phi.shape[1], len(phi)):
        masked = np.where(keep[:, part] == trained, phi[:, part].astype(np.float64), np.nan)
        centre[part] = np.nanmedian(masked, axis=0)
        if variance == "per-sample":
            deviation[part] = np.nanstd(masked, axis=0)
    if variance == "global":
        deviation = np.array([_deviation(phi, keep, trained=trained)])
    return centre, np.maximum(deviation, SMALLEST_DEVIATION)


def _deviation(
    phi: Float[np.ndarray, "replicas samples"], keep: Bool[np.ndarray, "replicas samples"], *, trained: bool
) -> float:
    """Over all samples and replicas together."""

    def chosen(part: slice) -> Float64[np.ndarray, " chosen"]:
        return np.asarray(phi[:, part][keep[:, part] == trained], dtype=np.float64)

    slices = list(parts(phi.shape[1], len(phi)))
    count = int(keep.sum()) if trained else keep.size - int(keep.sum())
    mean = sum(float(chosen(part).sum()) for part in slices) / count
    return math.sqrt(sum(float(((chosen(part) - mean) ** 2).sum()) for part in slices) / count)


def check(
    phi: Float[np.ndarray, " samples"],
    phi_replicas: Float[np.ndarray, "replicas samples"],
    keep: Bool[np.ndarray, "replicas samples"],
    mode: Mode,
    names: tuple[str, str] = ("phi", "phi_replicas"),
) -> None:
    """Checks shared by every attack that compares a target with replicas; `names` are the attack's names for the first
    two.

    Raises EvidenceError or NonFiniteError, naming the argument.
    """
    own, theirs = names
    if phi.ndim != 1:
        raise EvidenceError(f"{own} has shape {phi.shape}, expected one axis of samples.")
    if phi_replicas.ndim != 2 or phi_replicas.shape[1] != len(phi):
        raise EvidenceError(f"{theirs} has shape {phi_replicas.shape}, expected (replicas, {len(phi)}) as {own} has.")
    if keep.shape != phi_replicas.shape:
        raise EvidenceError(f"keep has shape {keep.shape}, expected {phi_replicas.shape} as {theirs} has.")
    if keep.dtype != np.bool_:
        raise EvidenceError(f"keep has type {keep.dtype}, expected bool.", do="Use keep.astype(bool).")
    if mode not in ("online", "offline"):
        raise EvidenceError(f"mode is {mode!r}, expected 'online' or 'offline'.")
    for name, rows in ((own, (phi,)), (theirs, phi_replicas)):
        if not all(np.isfinite(row).all() for row in rows):
            raise NonFiniteError(f"{name} holds NaN or infinite values.")
    needed = [("out", ~keep.all(axis=0))] + ([("in", keep.any(axis=0))] if mode == "online" else [])
    for side, there in needed:
        if not there.all():
            raise EvidenceError(f"keep never has sample {int(np.argmin(there))} {side}.", do="Train more replicas.")
