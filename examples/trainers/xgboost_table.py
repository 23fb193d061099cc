"""XGBoost on a table: the fitted model is both the audited model and its own trainer. LightGBM works the same way.

pip install 'transfer-audit[train]' xgboost
python examples/trainers/xgboost_table.py
"""

import numpy as np
from xgboost import XGBClassifier


def people(samples=400):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(samples, 8)).astype("float32")
    y = (X[:, 0] + X[:, 1] * X[:, 2] + rng.normal(size=samples) > 0).astype(int)
    return X, y


def model():
    return XGBClassifier(n_estimators=30, max_depth=4, n_jobs=1)


if __name__ == "__main__":
    import audit

    X, y = people()
    fitted = model().fit(X[:200], y[:200])
    print(audit.run(fitted, (X, y), members=range(200), out="xgboost-report").verdict.status)
