"""The user's own training of a causal language model, as a maker of replicas."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64
from torch import nn

from audit.evidence.sequence_answers import sequence_answers
from audit.trainers.base import Fit, Trainer
from audit.trainers.guarded_call import seeded, user_code
from probes.errors import NonFiniteError, TrainerError
from probes.plan import Row
from probes.sequences import TokenAnswers


@dataclass(frozen=True, kw_only=True, eq=False)
class LanguageTrainer:
    """`trainer` is told the numbers of rows in the data file: `rows` are those of the samples, of `total`."""

    trainer: Trainer
    rows: Int64[np.ndarray, " samples"]
    total: int

    def answers(self, row: Row, seed: int, inputs: Int64[np.ndarray, "samples 2 length"], device: str) -> TokenAnswers:
        """What the model that it makes of the row's samples answers about all. Raises TrainerError."""
        who = f"{self.trainer.name}, replica {row.name}"
        with tempfile.TemporaryDirectory(prefix="transfer-audit-") as folder:
            fit = Fit(
                kept=self.rows[row.keep],
                labels=np.zeros(self.total, dtype=np.int64),
                seed=seed,
                start=row.start,
                device=device,
                folder=Path(folder),
                order=row.order,
            )
            with seeded(seed), user_code(self.trainer.name, f"replica {row.name}", self.trainer.timeout):
                made = self.trainer(fit)
                if not isinstance(made, nn.Module):
                    raise TrainerError(
                        f"returned a {type(made).__name__}.",
                        where=who,
                        do="Return the language model, a torch.nn.Module.",
                    )
                try:
                    return sequence_answers(made.eval(), inputs)
                except NonFiniteError as error:
                    raise TrainerError(error.what, where=who) from None
