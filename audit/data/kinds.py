"""The kinds of data that a recipe can name."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from audit.data.digits import Digits
from audit.data.factory import Factory
from audit.data.folder import Folder
from audit.data.huggingface import HuggingFace
from audit.data.memory import Memory
from audit.data.npz import Npz
from audit.data.table import Table
from audit.data.torchvision import Torchvision

Data = Annotated[
    Digits | Factory | Folder | HuggingFace | Memory | Npz | Table | Torchvision, Field(discriminator="kind")
]
