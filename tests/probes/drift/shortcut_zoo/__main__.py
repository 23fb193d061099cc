"""A zoo of small models with planted shortcuts of many kinds, and of sound ones: does the search find what they rely
on?

    python -m tests.probes.drift.shortcut_zoo --models 3            # of every kind on every data set that suits it
    python -m tests.probes.drift.shortcut_zoo --redraws 2 --kinds benign --models 5

A plant is a change of a sample; a share of one class's samples carries it. The truth is measured by making that change
to clean held-out samples of other classes: a model relies on its plant where at least RELIED of the predictions follow.
Kinds in HELD_BACK are tried once, after everything else was settled.
"""

from __future__ import annotations

import argparse

import torch

from tests.probes.drift.shortcut_zoo.audits import audits, table
from tests.probes.drift.shortcut_zoo.data import DATA
from tests.probes.drift.shortcut_zoo.plants import HELD_BACK, kinds_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=1, help="of each kind on each data set")
    parser.add_argument("--first", type=int, default=0, help="seed of the first model")
    parser.add_argument("--redraws", type=int, default=1, help="audits of each model, of other samples")
    parser.add_argument("--kinds", nargs="+")
    parser.add_argument("--data", nargs="+", choices=[one.__name__ for one in DATA])
    parser.add_argument("--held-back", action="store_true", help="only these; they are left out otherwise")
    options = parser.parse_args()
    torch.set_num_threads(1)
    done = []
    for make in DATA:
        if options.data and make.__name__ not in options.data:
            continue
        data = make()
        for kind in kinds_of(data):
            if (options.kinds and kind not in options.kinds) or (kind in HELD_BACK) != options.held_back:
                continue
            for seed in range(options.first, options.first + options.models):
                done.append(audits(data, kind, seed, options.redraws))
                print(done[-1].line, flush=True)
    print(table(done))


if __name__ == "__main__":
    main()
