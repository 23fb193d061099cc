"""`audit canaries`."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from audit.cli import options as o
from audit.cli import validate
from audit.cli.loading import loading


def canaries(
    data: o.TrainingData,
    out: o.Mixture = Path("with-canaries.jsonl"),
    secret: o.SecretList = Path("canaries.json"),
    count: o.CanaryCount = 64,
    copies: o.Copies = None,
    references: o.References = 256,
    words: o.CanaryWords = 8,
    base: o.CanaryBase = None,
    temperature: o.Temperature = 1.0,
    seed: o.CoinSeed = None,
    quiet: o.Quiet = False,
) -> None:
    """Put canaries into a language model's training data, before it is trained.

    Canaries are random texts, each added with probability one half; the secret
    list says which were. Train on the mixture, then give the list to the audit,
    which reports how much of them the model remembers.

    [dim]$[/dim] audit canaries train.json -o mixed.jsonl --copies 1 --copies 4
    [dim]$[/dim] audit run -m adapter/ --data all.json --canaries canaries.json
    """
    validate.must_exist(data, "data file")
    with loading(quiet=quiet):
        from audit import api
    made = api.canaries(
        data,
        out=out,
        secret=secret,
        count=count,
        copies=tuple(copies or (1,)),
        references=references,
        words=words,
        base=base,
        temperature=temperature,
        seed=seed,
    )
    inside = sum(one.included for one in made.canaries)
    if not quiet:
        Console().print(
            f"{out}: train on this. {secret}: {len(made.canaries)} canaries, {inside} of them in it; keep it secret.",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
