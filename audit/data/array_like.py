"""What a program may hand over as an array."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike as NumPyArrayLike
    from torch import Tensor


class SparseMatrix(Protocol):
    """One of scipy's."""

    @property
    def nnz(self) -> int: ...

    def toarray(self) -> np.ndarray: ...


@runtime_checkable
class Rows(Protocol):
    """What a frame gives for positions of rows."""

    def __getitem__(self, chosen: np.ndarray, /) -> FrameLike: ...


@runtime_checkable
class FrameLike(Protocol):
    """One of pandas'."""

    @property
    def iloc(self) -> Rows: ...


if TYPE_CHECKING:
    ArrayLike: TypeAlias = NumPyArrayLike | Tensor | SparseMatrix | FrameLike
else:
    ArrayLike = object
"""Arrays, tensors, frames, sparse matrices and nested sequences. Only type checkers see this: at run time everything is
accepted, and what cannot be read as an array is refused in one line."""
