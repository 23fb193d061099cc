"""Data as a recipe's section names it."""

from pathlib import Path

from pydantic import TypeAdapter

from audit.data.dataset import Dataset
from audit.data.kinds import Data


def load(here: Path, trust_code: bool = False, **content) -> Dataset:
    return TypeAdapter(Data).validate_python(content).load(here, trust_code=trust_code)
