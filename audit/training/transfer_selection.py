"""`transfer = "auto"`: how much of θ_s to train, chosen by cross-validation within the members, and why."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from audit.config.recipe import Recipe
from audit.models.graph_rewrite import embedding
from audit.training.experiment import Experiment
from audit.training.loop import fine_tune, predict
from probes.errors import RecipeError
from probes.plan import Row
from reports.report import Json

# Ordered by how much is trained, so that ties go to the least.
CANDIDATES: Mapping[str, Mapping[str, str | float]] = {
    "features": {"mode": "features"},
    "last:1": {"mode": "last:1"},
    "parameters with L2-SP 0.01": {"mode": "parameters", "l2_sp": 0.01},
    "parameters": {"mode": "parameters"},
}
FOLDS = 3


def resolve_transfer(experiment: Experiment) -> Experiment:
    """The experiment with the chosen transfer in its recipe, and in `chosen` the accuracies on which the choice is
    based.

    Chooses, among the candidates within one standard error of the best, the one that trains least (the
    one-standard-error rule, Breiman 1984). Held-out samples are not used.
    """
    folds = _folds(experiment)
    accuracy = {name: np.array([_score(experiment, name, fold) for fold in folds]) for name in CANDIDATES}
    means = {name: float(values.mean()) for name, values in accuracy.items()}
    best = max(means, key=lambda name: means[name])
    error = float(accuracy[best].std(ddof=1) / np.sqrt(len(folds)))
    name = next(name for name in CANDIDATES if means[name] >= means[best] - error)
    score = transferability(experiment)
    chosen: dict[str, Json] = {
        "transfer": name,
        "folds": FOLDS,
        "accuracy": {candidate: [float(value) for value in values] for candidate, values in accuracy.items()},
        "standard_error": error,
        "logme": score,
        "because": f"{name} reaches {means[name]:.3f} in {FOLDS}-fold cross-validation within the members; the best, "
        f"{best}, reaches {means[best]:.3f} ± {error:.3f}; LogME of the source features is {score:.3f}.",
    }
    return dataclasses.replace(experiment, recipe=candidate(experiment.recipe, name), chosen=chosen)


def candidate(recipe: Recipe, name: str) -> Recipe:
    """The recipe with one candidate's transfer mode."""
    options = CANDIDATES[name]
    regularise = recipe.regularise.model_copy(update={"l2_sp": options.get("l2_sp", recipe.regularise.l2_sp)})
    transfer = recipe.transfer.model_copy(update={"mode": options["mode"]})
    return recipe.model_copy(update={"transfer": transfer, "regularise": regularise})


def _folds(experiment: Experiment) -> list[Bool[np.ndarray, " samples"]]:
    """Masks of the members that each fold leaves out. Raises RecipeError if there are too few."""
    members = np.flatnonzero(experiment.pool.member)
    labels, groups = experiment.dataset.labels[members], experiment.dataset.groups
    kind = StratifiedKFold if groups is None else StratifiedGroupKFold
    splitter = kind(FOLDS, shuffle=True, random_state=experiment.seed % 2**32)
    masks = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a class with one or two members is missing from some folds
            folds = list(splitter.split(members, labels, None if groups is None else groups[members]))
    except ValueError as error:
        raise RecipeError(
            f"auto cannot divide the members into {FOLDS} folds: {error}", where="transfer.mode", do="Name a mode."
        ) from error
    for _, left_out in folds:
        mask = np.zeros(len(experiment.dataset), dtype=bool)
        mask[members[left_out]] = True
        masks.append(mask)
    return masks


def _score(experiment: Experiment, name: str, left_out: Bool[np.ndarray, " samples"]) -> float:
    """Accuracy on the left-out fold."""
    keep = experiment.pool.member & ~left_out
    row = Row(design="auto", repeat=0, fold=0, order="auto", keep=keep)
    trained = fine_tune(experiment.with_recipe(candidate(experiment.recipe, name)), row)
    chosen = np.flatnonzero(left_out)
    logits = predict(trained.network, experiment.inputs[torch.from_numpy(chosen)])
    return float((logits.argmax(1) == experiment.dataset.labels[chosen]).mean())


def transferability(experiment: Experiment) -> float:
    """LogME of the source's features on the members: higher is better for a new head."""
    recipe = experiment.recipe.model_copy(
        update={"transfer": experiment.recipe.transfer.model_copy(update={"mode": "features"})}
    )
    trainee = experiment.with_recipe(recipe).begin(experiment.audited_row())
    members = np.flatnonzero(experiment.pool.member)
    features = predict(
        embedding(trainee.network.eval(), trainee.head), experiment.inputs[torch.from_numpy(members)]
    ).reshape(len(members), -1)
    return logme(features.astype(np.float64), experiment.dataset.labels[members])


def logme(features: Float[np.ndarray, "samples features"], labels: Int[np.ndarray, " samples"]) -> float:
    """Log maximum evidence per sample of Bayesian linear regression on one-hot labels, averaged over classes.

    You et al. 2021, algorithm 1: the fixed point of the prior precision α and noise precision β.
    """
    n, width = features.shape
    left, singular, _ = np.linalg.svd(features, full_matrices=False)
    sigma = singular**2
    evidence = []
    for label in np.unique(labels):
        y = (labels == label).astype(np.float64)
        projected = left.T @ y
        outside = float(y @ y - projected @ projected)
        alpha, beta = 1.0, 1.0
        for _ in range(100):
            shrink = beta * sigma / (alpha + beta * sigma)
            gamma = float(shrink.sum())
            mass = float((shrink**2 * projected**2 / np.maximum(sigma, 1e-12)).sum())
            residual = float((((1 - shrink) * projected) ** 2).sum()) + max(outside, 0.0)
            before, alpha, beta = alpha / beta, gamma / max(mass, 1e-12), (n - gamma) / max(residual, 1e-12)
            if abs(alpha / beta - before) <= 1e-6 * before:
                break
        evidence.append(_log_evidence(sigma, projected, max(outside, 0.0), alpha, beta, n, width))
    return float(np.mean(evidence))


def _log_evidence(
    sigma: Float[np.ndarray, " rank"],
    projected: Float[np.ndarray, " rank"],
    outside: float,
    alpha: float,
    beta: float,
    n: int,
    width: int,
) -> float:
    """log p(y | F, α, β) per sample (their eq. 2)."""
    shrink = beta * sigma / (alpha + beta * sigma)
    residual = float((((1 - shrink) * projected) ** 2).sum()) + outside
    mass = float((shrink**2 * projected**2 / np.maximum(sigma, 1e-12)).sum())
    determinant = float(np.log(alpha + beta * sigma).sum()) + (width - len(sigma)) * np.log(alpha)
    total = n * np.log(beta) + width * np.log(alpha) - n * np.log(2 * np.pi)
    return float((total - beta * residual - alpha * mass - determinant) / (2 * n))
