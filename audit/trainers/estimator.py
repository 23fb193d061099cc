"""Scikit-learn's interface as a trainer: clone, seed, and fit on the kept samples. Also for pipelines, XGBoost and
LightGBM."""

from __future__ import annotations

from dataclasses import dataclass

from audit.data.array_like import ArrayLike
from audit.storage.function_digest import digest_value
from audit.trainers.base import HOUR, Estimator, Fit
from audit.trainers.predictions import rows_of
from probes.plan import Row


@dataclass(frozen=True, kw_only=True, eq=False)
class EstimatorTrainer:
    """`estimator` is any classifier with `fit` and `get_params`; only clones of it are fitted."""

    estimator: Estimator
    features: ArrayLike | None
    timeout: float | None = 2 * HOUR

    @property
    def name(self) -> str:
        return type(self.estimator).__name__

    @property
    def digest(self) -> str:
        from sklearn.base import clone

        return digest_value(clone(self.estimator))

    def trains(self, row: Row) -> bool:
        """An estimator has no source to start from, and nothing frozen."""
        return row.start == "source" and row.transfer == "recipe"

    def __call__(self, fit: Fit) -> object:
        from sklearn.base import clone

        made = clone(self.estimator)
        seeds = [name for name in made.get_params(deep=True) if name.rpartition("__")[2] == "random_state"]
        made.set_params(**dict.fromkeys(seeds, fit.seed))
        return made.fit(rows_of(self.features, fit.kept), fit.targets)
