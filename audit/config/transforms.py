"""A transform of torchvision.transforms.v2, as named in a recipe."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from audit.runtime.devices import check_torchvision
from probes.errors import RecipeError, did_you_mean


class Transform(BaseModel):
    """A transform of torchvision.transforms.v2 by name; every other key is one of its options."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str

    def made(self) -> Any:
        """The transform itself; imports torch. Raises RecipeError on an unknown name or option."""
        check_torchvision()
        from torch import nn
        from torchvision.transforms import v2

        known = [name for name, value in vars(v2).items() if isinstance(value, type) and issubclass(value, nn.Module)]
        if self.name not in known:
            raise RecipeError(
                f"torchvision.transforms.v2 has no {self.name!r}. {did_you_mean(self.name, known)}", where="augment"
            )
        try:
            return getattr(v2, self.name)(**dict(self.model_extra or {}))
        except (TypeError, ValueError) as error:
            raise RecipeError(f"{self.name} refuses its options: {error}", where="augment") from error
