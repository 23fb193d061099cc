"""Which hand-written rephrasings are found, and which pairs are suspected besides.

python -m tests.audit.language_rephrasings instructions.json instructions-example/base
python -m tests.audit.language_rephrasings rotated.json rotated-example/base tests/audit/data/rephrasings_held_back.json

Of the rows from 500 on of the file that examples/trainers/instructions_lora.py takes (its base has not seen them) half
are members, among them those that the second file rephrases (by default tests/audit/data/rephrasings.json); the other
half and the rephrasings are held out. Pairs besides the planted ones are printed, to be judged by reading. The margin
was chosen on the first command's texts; the second is about others: rotated.json holds the rows from 600 on, and then
the first 500.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from transformers import AutoModelForCausalLM, AutoTokenizer

from audit.data.instructions import Instructions
from audit.data.tokenised import tokenised
from audit.evidence.language import token_embeddings
from probes.contamination.rephrasings import above, standing_out, text_vectors

PLANTED = Path(__file__).parent / "data" / "rephrasings.json"


def main(data: Path, base: str, rephrased: Path) -> None:
    rows = json.loads(data.read_text(encoding="utf-8"))[500:]
    planted = json.loads(rephrased.read_text(encoding="utf-8"))
    exchanges = Instructions(path=data).read_rows([*rows, *(one["rephrased"] for one in planted)], data)
    read = tokenised(exchanges, AutoTokenizer.from_pretrained(base), context=256)
    assert len(read.rows) == len(exchanges)
    original = [rows.index(next(row for row in rows if one["original"].items() <= row.items())) for one in planted]
    others = np.random.default_rng(0).permutation(np.setdiff1d(np.arange(len(rows)), original))
    cut = len(rows) // 2 - len(original)
    member = np.concatenate([original, others[:cut]])
    held_out = np.concatenate([others[cut:], len(rows) + np.arange(len(planted))])
    network = AutoModelForCausalLM.from_pretrained(base).eval()
    ids = read.inputs[:, 0]
    vectors = text_vectors(ids, token_embeddings(network, ids))
    found = standing_out(vectors[held_out], vectors[member])
    for margin in (0.2, 0.25, 0.3, 0.35):
        called = above(found, margin)
        pairs = [(int(held_out[i]), int(member[j])) for i, j in zip(called.held_out, called.member, strict=True)]
        right = sum(i >= len(rows) and original[i - len(rows)] == j for i, j in pairs)
        besides = [(i, j) for i, j in pairs if i < len(rows)]
        print(
            f"margin {margin}: {right} of {len(planted)} found; {len(besides)} of {len(others) - cut} others suspected"
        )
        for i, j in besides if margin == 0.25 else ():
            print(f"    {read.prompts[i]!r} | {read.prompts[j]!r}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]) if len(sys.argv) > 3 else PLANTED)
