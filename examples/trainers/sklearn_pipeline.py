"""A scikit-learn pipeline on a table like UCI Adult is its own trainer: its parameters are its recipe.

python examples/trainers/sklearn_pipeline.py [adult.csv]

Without a file the table is generated: Adult's columns, and an income that depends on some of them.
"""

import sys

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

NUMBERS = ["age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week"]
WORDS = ["workclass", "education", "marital-status", "occupation", "relationship", "race", "sex", "native-country"]
COLUMNS = [
    "age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation", "relationship", "race",
    "sex", "capital-gain", "capital-loss", "hours-per-week", "native-country",
]  # fmt: skip


def adult(path, n=2000):
    """The file of the UCI repository, which has no header; `?` is missing."""
    table = pd.read_csv(path, names=[*COLUMNS, "income"], skipinitialspace=True, na_values="?", nrows=n)
    return table[COLUMNS], table["income"].str.rstrip(".").to_numpy(dtype=str)


def people(n=400):
    """Made-up data: Adult's columns, and an income that depends on age, schooling and marriage."""
    rng = np.random.default_rng(0)
    schools = np.array(["HS-grad", "Some-college", "Bachelors", "Masters"])
    years = rng.integers(0, 4, n)
    married = rng.random(n) < 0.5
    table = pd.DataFrame(
        {
            "age": rng.integers(17, 90, n),
            "workclass": rng.choice(["Private", "State-gov", "Self-emp-inc"], n),
            "fnlwgt": rng.integers(12_000, 900_000, n),
            "education": schools[years],
            "education-num": np.array([9, 10, 13, 14])[years],
            "marital-status": np.where(married, "Married-civ-spouse", "Never-married"),
            "occupation": rng.choice(["Sales", "Craft-repair", "Exec-managerial", "Tech-support"], n),
            "relationship": np.where(married, "Husband", "Not-in-family"),
            "race": rng.choice(["White", "Black", "Other"], n),
            "sex": rng.choice(["Male", "Female"], n),
            "capital-gain": np.where(rng.random(n) < 0.1, rng.integers(1000, 20_000, n), 0),
            "capital-loss": np.where(rng.random(n) < 0.05, rng.integers(500, 3000, n), 0),
            "hours-per-week": rng.integers(10, 70, n),
            "native-country": rng.choice(["United-States", "Mexico", None], n, p=[0.9, 0.05, 0.05]),
        }
    )
    earns = 0.03 * table["age"] + 0.8 * years + 1.5 * married + rng.normal(0, 1, n) > 4.2
    return table[COLUMNS], np.where(earns, ">50K", "<=50K")


def model():
    words = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    encode = make_column_transformer((words, WORDS), (StandardScaler(), NUMBERS))
    return make_pipeline(encode, RandomForestClassifier(20, random_state=0))


if __name__ == "__main__":
    import audit

    X, y = adult(sys.argv[1]) if len(sys.argv) > 1 else people()
    half = len(X) // 2
    fitted = model().fit(X[:half], (y[:half] == ">50K").astype(int))
    print(audit.run(fitted, (X, y), members=range(half), out="sklearn-report").verdict.status)
