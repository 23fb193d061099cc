"""What looking into one model costs now, and what it cost before: CPU seconds by observable, on one thread each.

    git archive 9ef12db | tar x -C before
    python benchmarks/observing_before.py --before before [--networks "ResNet-18 at 64 px"] [--rounds 3]

Another process for each of the two, in turn; the fastest round of each counts. A network with random weights, whose
statistics of BatchNorm are those of the images, explains random images by observables that both have, and the greatest
difference of their observations is shown, as a share of the largest number (not of infidelity and sensitivity,
for which each draws other random numbers).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from figures import Measured, arguments, publish

COUNTS = {32: (64, 24, 16, 96), 64: (32, 12, 8, 48), 224: (4, 2, 2, 16)}
"""By the images' side: samples of explanation quality, attribution, the sanity check and representation."""
DRAWN = ("infidelity", "sensitivity")


def measure(model: str, side: int, into: Path) -> None:
    """In the process of one of the two: observe, and write seconds and observations."""
    import torch
    from torch import nn

    from probes.observable import Subject

    try:
        from audit.models.graph_rewrite import embedding, merge_batchnorm, prepare
        from probes.drift.observables.attribution import Attribution
        from probes.drift.observables.faithfulness import Quality
        from probes.drift.observables.representation import Representation
        from probes.drift.sanity_check import Sanity
    except ImportError:  # before
        from audit.preparation import embedding, prepare
        from probes.drift.attribution import Attribution
        from probes.drift.quality import Quality
        from probes.drift.representation import Representation
        from probes.drift.sanity import Sanity

        merge_batchnorm = None  # type: ignore[assignment]

    torch.set_num_threads(1)
    torch.manual_seed(0)
    network, head = _built(model)
    images = torch.rand(max(COUNTS[side]), 3, side, side) * 2 - 1
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    network.train()
    with torch.no_grad():
        network(images[:16])
    network = network.eval().to(memory_format=torch.channels_last)
    prepared = prepare(network, images[:2]).eval().requires_grad_(False)
    fields: dict[str, Any] = {"name": "audited", "role": "audited", "same_labels": True}
    subject = Subject(network=prepared, embed=embedding(prepared, head), **fields)
    if merge_batchnorm is not None:

        def folded() -> Subject | None:
            merged = merge_batchnorm(prepared, images[:2])
            return None if merged is None else Subject(network=merged, embed=embedding(merged, head), **fields)

        subject = Subject(network=prepared, embed=embedding(prepared, head), folded=folded, **fields)
    quality, attribution, sanity, representation = COUNTS[side]
    looks = {
        "explanation quality": (Quality(samples=quality, refined=min(16, quality), few=min(8, quality)), quality),
        "attribution": (Attribution(target="label", samples=attribution), attribution),
        "sanity check": (Sanity(samples=sanity), sanity),
        "representation": (Representation(samples=representation), representation),
    }
    seconds, seen = {}, {}
    for called, (observable, count) in looks.items():
        began = time.process_time()
        labels = torch.arange(count) % 5
        with torch.random.fork_rng(devices=[]):
            found = observable(subject, images[:count], labels, np.random.default_rng(0))
        seconds[called] = time.process_time() - began
        seen |= {
            f"{called}, {key}": array
            for key, array in found.items()
            if array.dtype.kind == "f" and not key.endswith(DRAWN)
        }
    into.with_suffix(".json").write_text(json.dumps(seconds))
    np.savez(into.with_suffix(".npz"), **seen)


def _built(model: str) -> tuple[Any, str]:
    family, _, name = model.partition(":")
    if family == "timm":
        import timm

        return timm.create_model(name, num_classes=5), "head"
    import torchvision

    return torchvision.models.get_model(name, num_classes=5), "fc"


def compared(name: str, model: str, side: int, before: Path, rounds: int) -> list[Measured]:
    here = Path(__file__).parents[1]
    fastest: dict[str, dict[str, float]] = {"before": {}, "now": {}}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            for when, code in (("before", before), ("now", here)):
                into = Path(folder) / when
                path = os.pathsep.join([str(code), str(here / "benchmarks")])
                command = [sys.executable, __file__, "--measure", model, str(side), str(into)]
                subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"})
                for called, seconds in json.loads(into.with_suffix(".json").read_text()).items():
                    fastest[when][called] = min(seconds, fastest[when].get(called, seconds))
        with np.load(Path(folder) / "before.npz") as old, np.load(Path(folder) / "now.npz") as new:
            off = {key: _difference(old[key], new[key]) for key in old.files if key in new.files}
    for called, seconds in fastest["before"].items():
        print(f"  {name}, {called}: {seconds:.2f} CPU s before, {fastest['now'][called]:.2f} now")
    worst = max(off, key=lambda key: off[key])
    print(f"  {name}: observations differ by at most {off[worst]:.1e} of the largest ({worst})")
    total = {when: sum(found.values()) for when, found in fastest.items()}
    return [Measured(what=f"{name}: looking into one model", value=total["before"] / total["now"], unit="times before")]


def _difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.nanmax(np.abs(one - other)) / max(float(np.nanmax(np.abs(one))), 1e-12))


def main() -> None:
    if sys.argv[1:2] == ["--measure"]:
        measure(sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
        return
    from observing import NETWORKS  # imports audit, which has other modules in the process that measures before

    parser = arguments(__doc__)
    parser.add_argument("--before", type=Path, required=True)
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    figures = []
    for name in given.networks:
        figures += compared(name, *NETWORKS[name], given.before.resolve(), given.rounds)
    publish(figures, given.json)


if __name__ == "__main__":
    main()
