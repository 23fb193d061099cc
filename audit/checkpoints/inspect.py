"""What is in a checkpoint, and whether it is what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from audit.checkpoints.checkpoint import Checkpoint, checkpoint_of
from audit.checkpoints.contents import FORMAT
from audit.checkpoints.folders.base import Described, described_by, must_be_known, reader_of
from audit.checkpoints.foreign_weights import archive_kind
from audit.data.record import NAME, Record
from audit.models.weight_files import damaged, digest_file, digest_state, read_untrusted, state_in
from audit.models.weight_sets import further_sets
from audit.storage.folders import checkpoint_in
from audit.training.dp_sgd import account
from probes.errors import CheckpointError


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that a checkpoint says of itself, held against its content.

    name    of what was checked
    passed  whether they agree
    detail  what was compared with what
    """

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What is in a checkpoint.

    facts   what it says, by name, in reading order
    checks  every check that could be made
    """

    facts: Mapping[str, str]
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)


def inspect(model: str | Path) -> Inspection:
    """What is in a checkpoint, and whether it is what it says. Nothing in it is run, and its data is not needed.

    model  a checkpoint or its folder, weights from elsewhere, or the folder of a library's model

    Returns facts and checks; `passed` where every check did. Raises CheckpointError if it cannot be read.

    >>> import tempfile
    >>> from safetensors.torch import save_file
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_file({"weight": torch.zeros(2, 2)}, f"{folder}/weights.safetensors")
    ...     inspect(f"{folder}/weights.safetensors").passed
    True
    """
    path = checkpoint_in(Path(model)) or Path(model)
    must_be_known(path)
    if (found := reader_of(path)) is not None:
        return _of_folder(path, described_by(found[1], path, None, trust_code=False))
    if (kind := archive_kind(path)) is not None:
        return Inspection(
            facts={"file": str(path), "format": f"{kind} program", "sha256": digest_file(path)}, checks=()
        )
    whole = read_untrusted(path)
    content = {} if path.suffix == ".safetensors" else whole
    if content.get("format") != FORMAT:
        state = state_in(whole, path)
        facts = {"file": str(path), "format": "weights without a recipe, data or split", "sha256": digest_file(path)}
        if others := further_sets(content, path):
            facts["also holds"] = f"{', '.join(others)} (--weights KEY audits them)"
        return Inspection(facts=facts | _weights(state), checks=(_intact(path), _finite(state)))
    checkpoint = checkpoint_of(content, path)
    if "digest" not in content:
        raise CheckpointError("lacks the digest of its weights.", where=str(path), do="Make it again.")
    return Inspection(facts=_facts(path, checkpoint), checks=tuple(_checks(checkpoint, content)))


def _of_folder(folder: Path, described: Described) -> Inspection:
    """What the folder states, and whether its weights are those that its audit record was written for."""
    facts = {"folder": str(folder), "format": described.kind}
    for name in ("read", "assumed", "unknown"):
        if told := getattr(described, name):
            facts[name] = "; ".join(told)
    if not (folder / NAME).is_file():
        return Inspection(facts=facts, checks=())
    record = Record.read(folder / NAME)
    facts |= {name: f"{value:.4g}" for name, value in record.measures.items()}
    facts["made with"] = ", ".join(f"{name} {version}" for name, version in record.versions.items())
    here = [(name, digest) for name, digest in record.weights.items() if (folder / name).is_file()]
    return Inspection(facts=facts, checks=tuple(_digest(name, said, digest_file(folder / name)) for name, said in here))


def _weights(state: Mapping[str, torch.Tensor]) -> dict[str, str]:
    count = sum(value.numel() for value in state.values())
    return {"weights": f"{count:,} numbers in {len(state)} tensors", "digest": digest_state(state)}


def _facts(path: Path, checkpoint: Checkpoint) -> dict[str, str]:
    recipe, split = checkpoint.recipe, checkpoint.split
    facts = {
        "file": str(path),
        "format": FORMAT,
        "name": recipe.name,
        "model": recipe.source.model,
        "source": _source(checkpoint),
        "transfer": recipe.transfer.mode,
        "data": f"{recipe.data.kind}, fingerprint {checkpoint.fingerprint[:16]}",
        "classes": f"{len(checkpoint.classes)}: {', '.join(checkpoint.classes[:10])}",
        "members": str(len(split["member"])),
        "held out": str(len(split["held_out"])),
        "validation": str(len(split["validation"])),
        "seed": str(checkpoint.seed),
        **_weights(checkpoint.state),
    }
    if checkpoint.chosen:
        facts["chosen"] = str(checkpoint.chosen["because"])
    if checkpoint.trace is not None:
        epoch = (checkpoint.epoch or len(checkpoint.trace.train_loss)) - 1
        trace = checkpoint.trace
        facts["epochs"] = f"{len(trace.train_loss)}, weights of epoch {epoch + 1}"
        facts["training"] = f"loss {trace.train_loss[epoch]:.4f}, accuracy {trace.train_accuracy[epoch]:.1%}"
        if np.isfinite(trace.validation_loss[epoch]):
            seen = f"loss {trace.validation_loss[epoch]:.4f}, accuracy {trace.validation_accuracy[epoch]:.1%}"
            facts["validated"] = seen
    if (spent := checkpoint.accounting) is not None:
        facts["privacy"] = (
            f"({spent.claim.epsilon:.3f}, {spent.delta:g})-DP by {spent.accountant}: σ = {spent.noise_multiplier:.4f}, "
            f"sample rate {spent.sample_rate:.5f}, {spent.steps} steps, clipped at {spent.clip_norm:g}"
        )
    if checkpoint.planted is not None:
        included = int(checkpoint.planted.included.sum())
        facts["canaries"] = f"{len(checkpoint.planted.samples)}, {included} of them included"
    facts["made with"] = ", ".join(f"{name} {version}" for name, version in checkpoint.environment.items())
    return facts


def _source(checkpoint: Checkpoint) -> str:
    section = checkpoint.recipe.source
    if section.training is not None:
        return "trained here"
    return section.weights or "random weights"


def _checks(checkpoint: Checkpoint, content: Mapping[str, Any]) -> list[Check]:
    checks = [_digest("weights", content["digest"], digest_state(checkpoint.state)), _finite(checkpoint.state)]
    if checkpoint.source_state is not None:
        checks.append(_digest("source weights", content["source"]["digest"], digest_state(checkpoint.source_state)))
    parts = [set(indices.tolist()) for indices in checkpoint.split.values()]
    apart = sum(map(len, parts)) == len(set().union(*parts))
    checks.append(Check(name="split", passed=apart, detail="members, held-out and validation samples do not overlap"))
    if (spent := checkpoint.accounting) is not None and checkpoint.recipe.privacy is not None:
        again = account(checkpoint.recipe.privacy, spent.noise_multiplier, spent.sample_rate, spent.steps)
        claimed, found = checkpoint.privacy, again.claim.epsilon
        holds = claimed is not None and claimed.epsilon >= found * (1 - 1e-6) and claimed.delta >= again.delta
        said = "nothing" if claimed is None else f"epsilon {claimed.epsilon:.4f} at delta {claimed.delta:g}"
        detail = f"claims {said}, its own noise, rate and steps give {found:.4f} at {again.delta:g}"
        checks.append(Check(name="privacy", passed=holds, detail=detail))
    return checks


def _digest(name: str, recorded: str, found: str) -> Check:
    same = recorded == found
    detail = f"sha256 over contents {found[:16]}" + ("" if same else f", recorded {recorded[:16]}")
    return Check(name=name, passed=same, detail=detail)


def _intact(path: Path) -> Check:
    record = damaged(path)
    detail = f"{record} does not match its checksum" if record else "every record has its checksum, where it has one"
    return Check(name="file", passed=record is None, detail=detail)


def _finite(state: Mapping[str, torch.Tensor]) -> Check:
    bad = [name for name, value in state.items() if value.is_floating_point() and not torch.isfinite(value).all()]
    return Check(name="finite", passed=not bad, detail=f"{bad[0]} is not finite" if bad else "all weights are finite")
