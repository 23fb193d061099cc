"""Predictions only, with those of shadow models: neither the model nor the training code is handed over.

python examples/trainers/predictions.py
audit run --predictions predictions.npz
"""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

SHADOWS = 12


def predictions():
    """The model's log-probabilities, and those of models trained on other halves of the same samples."""
    images, digits = load_digits(return_X_y=True)
    X, y = images[:400] / 16, digits[:400]
    rng = np.random.default_rng(0)

    def answers(kept):
        fitted = LogisticRegression(C=100, max_iter=500).fit(X[kept], y[kept])
        return fitted.predict_log_proba(X)

    members = np.arange(400) < 200
    shadows = np.array([rng.permutation(400) < 200 for _ in range(SHADOWS)])
    return {
        "outputs": answers(members),
        "labels": y,
        "members": members,
        "shadow_outputs": np.stack([answers(kept) for kept in shadows]),
        "shadow_members": shadows,
    }


if __name__ == "__main__":
    import audit

    given = predictions()
    np.savez("predictions.npz", **given)
    print(audit.run(audit.Predictions(**given), out="predictions-report").verdict.status)
