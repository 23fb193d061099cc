"""How often trigger inversion alarms on sound sources, and finds poisoned ones.

python -m tests.probes.inheritance.source_zoo --models 8
"""

from __future__ import annotations

import argparse

import torch

from probes.statistics.proportions import clopper_pearson
from tests.probes.drift.zoo import digits
from tests.probes.inheritance.test_probe import BACKDOOR, audited, codes, enlarged

ALARMS = ("inheritance.backdoor", "inheritance.suspected-backdoor")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=8, help="sources that are sound, and as many that are poisoned")
    parser.add_argument("--first", type=int, default=0, help="seed of the first")
    options = parser.parse_args()
    torch.set_num_threads(1)
    task = enlarged(digits())
    for poisoned in (False, True):
        results = [audited(task, poisoned, seed=seed) for seed in range(options.first, options.first + options.models)]
        for code in ALARMS:
            hits = sum(code in codes(one) for one in results)
            low, high = clopper_pearson(hits, len(results))
            kind = "poisoned" if poisoned else "sound"
            print(f"{kind}: {code} in {hits} of {len(results)} ({low:.0%} to {high:.0%})", flush=True)
        right = sum(
            finding.values.get("source_class") == BACKDOOR and finding.code in ALARMS
            for one in results
            for finding in one.findings
        )
        print(f"  the poisoned class is named in {right}", flush=True)


if __name__ == "__main__":
    main()
