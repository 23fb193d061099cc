"""Which rows of texts an audit record refers to, by its keyed digests of tokens or texts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool

from audit.data.fingerprints import fingerprint, of_text, of_tokens
from audit.data.instructions import Exchange
from audit.data.record import Record
from audit.data.tokenised import Tokenised

Contents = Mapping[str, Sequence[Sequence[bytes]]]
"""By view: for each row, the contents of which a training may have recorded a digest."""


def contents_of(exchanges: Sequence[Exchange], found: Tokenised, end: int | None) -> Contents:
    """Tokens as they are read here, with and without the end-of-text token; and texts, as one or as a pair."""
    tokens: list[list[bytes]] = [[] for _ in exchanges]
    texts: list[list[bytes]] = [[] for _ in exchanges]
    for place, row in enumerate(found.rows):
        ids = found.inputs[place, 0][found.inputs[place, 0] >= 0].tolist()
        tokens[row].append(of_tokens(ids))
        if ids[-1] == end:
            tokens[row].append(of_tokens(ids[:-1]))
        texts[row].append(of_text(found.prompts[place] + found.answers[place]))
    for row, exchange in enumerate(exchanges):
        prompt = "\n\n".join(turn.content for turn in exchange.turns)
        texts[row] += [of_text(prompt, exchange.answer), of_text(exchange.answer)]
    return {"tokens": tokens, "text": texts}


def recorded_rows(record: Record, contents: Contents) -> tuple[dict[str, Bool[np.ndarray, " rows"]], int]:
    """A mask for each part of the record (trained, evaluated), and how many of its digests match no row, in the view in
    which these are fewest. A row that occurs more than once is taken as often as it was recorded."""
    best: tuple[int, dict[str, Bool[np.ndarray, " rows"]]] | None = None
    for view, rows in contents.items():
        parts = {part: views[view] for part, views in record.rows.items() if view in views}
        if "trained" not in parts:
            continue
        places: dict[str, list[int]] = defaultdict(list)
        for row in reversed(range(len(rows))):
            for content in dict.fromkeys(rows[row]):
                places[fingerprint(content, record.key)].append(row)
        masks, missed = {}, 0
        for part, digests in parts.items():
            masks[str(part)] = mask = np.zeros(len(rows), dtype=bool)
            for digest in digests:
                if places.get(digest):
                    mask[places[digest].pop()] = True
                else:
                    missed += 1
        if best is None or missed < best[0]:
            best = missed, masks
    total = sum(record.count(part) for part in record.rows)
    return ({}, total) if best is None else (best[1], best[0])
