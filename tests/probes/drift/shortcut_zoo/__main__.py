"""A zoo of small models with planted shortcuts of many kinds, and of sound ones: does the search find what they rely
on?

    make zoo                                                                          # all of it: zoo.json and zoo.md
    python -m tests.probes.drift.shortcut_zoo --relied 8 --benign 66 --first 11000 --out zoo      # the same
    python -m tests.probes.drift.shortcut_zoo --kinds hum --relied 3
    python -m tests.probes.drift.shortcut_zoo --adult adult.csv --most 6000 --kinds benign --benign 12
    python -m tests.probes.drift.shortcut_zoo --kinds none --and one.json other.json --out zoo   # the table of both

A plant is a change of a sample; a share of one class's samples carries it. The truth is measured by making that change
to clean held-out samples of other classes: a model relies on its plant where at least RELIED of the predictions follow.
Models of a kind are made on its data sets in turn until so many rely on their plant. A fifth of all models, drawn by
`--fifth`, is told apart in the table and audited again with other samples, as sound models are; the kinds in HELD_BACK,
that nothing was settled on, are told apart, too.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from audit.self_check.samples import Data
from tests.probes.drift.shortcut_zoo.audits import RELIED, Audited, audits
from tests.probes.drift.shortcut_zoo.data import DATA, adult, photographs
from tests.probes.drift.shortcut_zoo.models import MOST
from tests.probes.drift.shortcut_zoo.plants import kinds_of
from tests.probes.drift.shortcut_zoo.table import as_json, table

TRIES = 2
"""Models of a kind that are made at most, for each that is to rely on its plant."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--relied", type=int, default=2, help="models of each kind that rely on their plant")
    parser.add_argument("--benign", type=int, default=11, help="sound models")
    parser.add_argument("--first", type=int, default=0, help="seed of the first model")
    parser.add_argument("--redraws", type=int, default=2, help="audits of each sound model, and of the drawn fifth")
    parser.add_argument("--fifth", type=int, default=0, help="seed that draws the fifth of the models")
    parser.add_argument("--kinds", nargs="+")
    parser.add_argument("--data", nargs="+", help="names of data sets; all by default")
    parser.add_argument("--adult", type=Path, help="a CSV file of UCI Adult without a header, instead of the data sets")
    parser.add_argument("--cifar", type=Path, help="an .npz with images and labels of CIFAR-10, instead of them")
    parser.add_argument("--most", type=int, default=MOST, help="samples of a model")
    parser.add_argument("--out", type=Path, help="name of the files, without an ending")
    parser.add_argument("--and", type=Path, nargs="+", default=(), dest="more", help="files of earlier runs")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng([options.fifth, 31])
    done = [Audited.read(json.dumps(one)) for path in options.more for one in json.loads(path.read_text())]
    every = [adult(options.adult)] if options.adult else []
    every += [photographs(options.cifar)] if options.cifar else []
    every = every or [data for data in (make() for make in DATA) if not options.data or data.name in options.data]
    for kind in [*dict.fromkeys(kind for data in every for kind in kinds_of(data))]:
        if options.kinds and kind not in options.kinds:
            continue
        sound = kind == "benign"
        suited = [data for data in every if kind in kinds_of(data)]
        done += made(suited, kind, options.benign if sound else options.relied, options.first, options.redraws, rng,
                     options.most)  # fmt: skip
        if options.out:
            options.out.with_suffix(".json").write_text(as_json(done), encoding="utf-8")
    print(table(done))
    if options.out:
        options.out.with_suffix(".json").write_text(as_json(done), encoding="utf-8")
        options.out.with_suffix(".md").write_text(table(done) + "\n", encoding="utf-8")


def made(
    suited: Sequence[Data], kind: str, relied: int, first: int, redraws: int, rng: np.random.Generator, most: int
) -> list[Audited]:
    """On these data sets in turn."""
    done: list[Audited] = []
    count = 0
    while count < relied and len(done) < (TRIES if kind != "benign" else 1) * relied:
        data, seed = suited[len(done) % len(suited)], first + len(done) // len(suited)
        fifth = bool(rng.random() < 0.2)
        done.append(audits(data, kind, seed, redraws if fifth or kind == "benign" else 1, fifth=fifth, most=most))
        print(done[-1].line, flush=True)
        count += kind == "benign" or done[-1].reliance >= RELIED
    return done


if __name__ == "__main__":
    main()
