"""Predictions only, without shadow models, as a table: the report contains the attacks that need none, and a forecast.

python examples/trainers/predictions_alone.py
audit run --predictions predictions.csv
"""

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier


def predictions():
    """One row per sample: its label, whether the model was trained on it, and the model's probabilities."""
    X, y = load_breast_cancer(return_X_y=True)
    member = np.random.default_rng(0).permutation(len(y)) < 285
    told = RandomForestClassifier(50, random_state=0).fit(X[member], y[member]).predict_proba(X)
    return pd.DataFrame({"label": y, "member": member.astype(int), "prob_0": told[:, 0], "prob_1": told[:, 1]})


if __name__ == "__main__":
    import audit

    predictions().to_csv("predictions.csv", index=False)
    report = audit.run(predictions="predictions.csv", out="predictions-report")
    print(report.verdict.status, report.estimate("membership", "forecast.auc"))
