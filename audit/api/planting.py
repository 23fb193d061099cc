"""`audit.canaries`."""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from audit.checkpoints.causal_lm import open_base
from audit.checkpoints.language_split import TRAIN
from audit.data.canaries import CanaryFile, as_lines, drawn, mixed, must_be_counts, uniform_words
from audit.data.instructions import Instructions, rows_in
from audit.evidence.sampled_texts import sampled_texts
from audit.runtime.randomness import stream
from audit.storage.atomic import write
from audit.storage.folders import named_path
from probes.errors import InputError


def canaries(
    data: str | Path,
    *,
    out: str | Path,
    secret: str | Path,
    count: int = 64,
    copies: Sequence[int] = (1,),
    references: int = 256,
    words: int = 8,
    base: str | Path | None = None,
    temperature: float = 1.0,
    seed: int | None = None,
) -> CanaryFile:
    """Before a language model is fine-tuned: add random texts to its training data, each with probability one half,
    and write a secret list of them. `run(..., canaries=secret)` then reports how much of them the model remembers, and
    bounds ε from below without assumptions about the data.

    data        instructions as `run` takes them; if they have parts, canaries are added to the training part
    out         the file to write the training data with canaries to, .jsonl
    secret      the file to write the list to, .json: anyone who has it knows which canaries were added
    count       canaries for each number of copies, at least 8; each is included with probability one half
    copies      how often an included canary occurs in the training data, each at least 1: (1, 4, 16) shows the effect
                of repetition
    references  texts drawn in the same way that are not used for training, at least 1; n of them bound exposure by
                log2(n + 1) bits
    words       words of a canary's prompt and of its answer, at least 2; tokens, if the base draws them
    base        folder of the model that will be fine-tuned, from which canaries are drawn at the temperature; default:
                they are drawn uniformly from the words of the data's answers
    temperature  of these draws, above 0; the higher, the less they look like text
    seed        for the random draws, at least 0; default: the machine's own randomness, which an audit for others needs

    Returns the list. Raises InputError, DataError, StoreError.

    >>> import json, pathlib, tempfile
    >>> rows = [{"prompt": f"a{i}", "completion": f"b{i} c{i}"} for i in range(20)]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     own = pathlib.Path(folder)
    ...     _ = (own / "data.json").write_text(json.dumps(rows))
    ...     made = canaries(own / "data.json", out=own / "mixed.jsonl", secret=own / "secret.json", seed=0)
    ...     lines = (own / "mixed.jsonl").read_text().splitlines()
    >>> len(made.canaries), len(lines) == 20 + sum(one.included for one in made.canaries)
    (64, True)
    """
    must_be_counts(count, copies, references, words)
    if not 0 < temperature < math.inf:
        raise InputError(f"is {temperature}, but must be above 0.", where="--temperature")
    source, mixture = named_path(data), named_path(out)
    if not source.exists():
        raise InputError("no such data file.", where=str(source), do="Check the path.")
    if mixture.suffix not in (".jsonl", ".ndjson"):
        raise InputError("is written as JSON lines.", where=str(mixture), do="Name it .jsonl.")
    if mixture.resolve() in (source.resolve(), Path(secret).resolve()):
        raise InputError("would be written over.", where=str(mixture), do="Give another --out.")
    if Path(secret).resolve() == source.resolve():
        raise InputError("would be written over.", where=str(source), do="Give another --secret.")
    rng = np.random.default_rng(secrets.randbits(128)) if seed is None else stream(seed, "canaries")
    section, rows = Instructions(path=source), list(rows_in(source))
    exchanges = section.exchanges(Path())
    if base is None:
        texts = uniform_words(exchanges, rng, words, str(source))
    else:
        texts = sampled_texts(*open_base(Path(base)), temperature, words, rng)
    made = drawn(texts, rows[0][1], section, rng, count=count, copies=copies, references=references)
    parts = [exchange.part for exchange in exchanges]
    mixture_rows = mixed([(part, row) for part, (_, row) in zip(parts, rows, strict=True)], made, TRAIN, rng)
    # The list first: a mixture whose list is lost can be audited by nobody.
    write(Path(secret), json.dumps(made.model_dump(), ensure_ascii=False, indent=1, default=str) + "\n")
    write(mixture, as_lines(mixture_rows))
    return made
