"""A scikit-learn pipeline is its own trainer: its parameters are its recipe.

python examples/trainers/sklearn_pipeline.py
"""

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder


def people(n=400):
    """Made-up data: a job, an age, and whether the income is high."""
    rng = np.random.default_rng(0)
    job, age = rng.choice(["clerk", "cook", "nurse", "pilot"], n), rng.integers(18, 65, n)
    earns = (age / 20 + 2 * (job == "pilot") + rng.normal(0, 1, n)) > 3
    return pd.DataFrame({"job": job, "age": age}), np.where(earns, "much", "little")


def model():
    encode = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["job"]), remainder="passthrough")
    return make_pipeline(encode, RandomForestClassifier(20, random_state=0))


if __name__ == "__main__":
    import audit

    X, y = people()
    fitted = model().fit(X[:200], (y[:200] == "much").astype(int))
    print(audit.run(fitted, (X, y), members=range(200), out="sklearn-report").verdict.status)
