"""Variants of the audited model, opened and evaluated on the same samples."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from torch import nn

from audit.checkpoints import checkpoint as checkpoints
from audit.checkpoints.audited_model import Audited, load_network
from audit.checkpoints.contents import FORMAT
from audit.checkpoints.foreign_weights import archive_kind, fit, read_weights
from audit.checkpoints.variant import Variant
from audit.data.arrays import names_in, read_arrays
from audit.models.head import find_head
from audit.models.weight_files import digest_state, read_untrusted
from audit.training.experiment import Experiment
from audit.training.loop import predict_views
from probes.errors import CheckpointError, DataError, InputError
from probes.predictions import as_logits

OUTPUTS = ("outputs", "logits", "probabilities", "predictions", "probs")


def named(given: Sequence[str | Path] | Mapping[str, object]) -> dict[str, object]:
    """Variants by the name that a report gives them: that of the file without its ending, in lower case, other
    characters than letters and digits as hyphens. Raises InputError for two of one name.

    >>> named(["release/Int8 (static).npz"])
    {'int8-static': 'release/Int8 (static).npz'}
    """
    found: dict[str, object] = {}
    for called, one in given.items() if isinstance(given, Mapping) else [(Path(one).stem, one) for one in given]:
        name = re.sub(r"[^a-z0-9]+", "-", called.lower()).strip("-") or "variant"
        if name in found:
            raise InputError(f"two variants are called {name!r}.", where="--variant", do="Rename one of the files.")
        found[name] = one
    return found


def variants_of(given: Sequence[str | Path] | Mapping[str, object], audited: Audited) -> tuple[Variant, ...]:
    """Files, or a mapping from names to files, networks or arrays of outputs. Raises InputError, CheckpointError or
    DataError for a variant that does not cover the audited model's samples and classes."""
    return tuple(_variant(name, one, audited) for name, one in named(given).items())


def _variant(name: str, given: object, audited: Audited) -> Variant:
    if isinstance(given, str | Path):
        return _from_file(name, Path(given), audited)
    if isinstance(given, nn.Module):
        network, experiment = given.cpu().eval(), audited.experiment
        return _of_network(name, network, experiment, digest_state(network.state_dict()), lambda: network)
    return _from_outputs(name, np.asarray(given), audited, name)


def _from_file(name: str, path: Path, audited: Audited) -> Variant:
    """Outputs as .npz, a checkpoint of this tool, or weights that fit the audited network."""
    if not path.exists():
        raise InputError("no such file.", where=str(path), do="Check --variant.")
    if path.suffix == ".npz":
        arrays = read_arrays(path, OUTPUTS)
        if not arrays:
            held = ", ".join(names_in(path)[:10]) or "nothing"
            raise DataError(f"holds {held}, but no outputs.", where=str(path), do="Give outputs [samples, classes].")
        return _from_outputs(name, next(iter(arrays.values())), audited, str(path))
    experiment, trusted = audited.experiment, audited.experiment.source.trust_code
    if archive_kind(path) is None and read_untrusted(path).get("format") == FORMAT:
        own = checkpoints.load(path)
        itself = own.experiment(experiment.dataset, trust_code=trusted)

        def from_checkpoint() -> nn.Module:
            return load_network(itself, own, itself.audited_row())

        alike = itself.recipe.input == experiment.recipe.input
        build = from_checkpoint if alike else None
        return _of_network(name, from_checkpoint(), itself, digest_state(own.state), build)
    state = fit(read_weights(path, trust_code=trusted), experiment.begin(audited.row).network.state_dict(), path)

    def from_weights() -> nn.Module:
        network = experiment.begin(audited.row).network
        network.load_state_dict(dict(state), strict=True)
        return network.eval()

    return _of_network(name, from_weights(), experiment, digest_state(state), from_weights)


def _of_network(
    name: str, network: nn.Module, experiment: Experiment, digest: str, build: Callable[[], nn.Module] | None
) -> Variant:
    logits = predict_views(network, experiment)
    if logits.shape[1] != len(experiment.dataset.classes):
        raise CheckpointError(f"has {logits.shape[1]} classes, the data {len(experiment.dataset.classes)}.", where=name)
    head = find_head(network, experiment.recipe.head.name)
    return Variant(name=name, logits=logits, digest=digest, build=build, head=head)


def _from_outputs(name: str, outputs: np.ndarray, audited: Audited, where: str) -> Variant:
    wanted = (len(audited.experiment.dataset), len(audited.experiment.dataset.classes))
    if outputs.shape != wanted or outputs.dtype.kind not in "fiu":
        raise DataError(
            f"outputs are {outputs.dtype} of shape {outputs.shape}, but the data has {wanted[0]} samples and "
            f"{wanted[1]} "
            "classes.",
            where=where,
            do="Give logits or probabilities of all samples, in the order of the data.",
        )
    if not np.isfinite(outputs).all():
        raise DataError("outputs contain NaN or infinite values.", where=where)
    digest = hashlib.sha256(np.ascontiguousarray(outputs).tobytes()).hexdigest()
    return Variant(name=name, logits=as_logits(outputs.astype(np.float32)), digest=digest)
