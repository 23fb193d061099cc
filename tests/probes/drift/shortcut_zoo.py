"""A zoo of small models with planted shortcuts of many kinds, and of sound ones: does the search find what they rely
on?

    python -m tests.probes.drift.shortcut_zoo --models 2            # of every kind on every data set that suits it
    python -m tests.probes.drift.shortcut_zoo --redraws 5 --kinds benign

A plant is a change of a sample; a share of one class's samples (or of every class's, its own) carries it. The truth is
measured by making that change to clean held-out samples of other classes: a model relies on its plant where at least
RELIED of the predictions follow. Kinds in HELD_BACK were tried once, after everything else was settled.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from jaxtyping import Int, Shaped
from sklearn.datasets import load_breast_cancer, load_wine
from torch import Tensor, nn
from torch.nn import functional

from audit.selfcheck.networks import dense
from audit.selfcheck.plants import Plant, at, high, insert, patch, tint, trigger, word_column
from audit.selfcheck.samples import TOKENS, Data, coloured, digits, letters, loans, noisy, standardised
from probes.drift.shortcuts.judged import Judged, judged
from probes.drift.shortcuts.search import DECIDES, ShortcutSearch
from probes.measures.corruptions import blur, jpeg, pad, stretch
from probes.observable import Subject
from probes.plan import Pool
from probes.statistics.proportions import clopper_pearson

RELIED = 0.5
SUSPECT = 1


class Spectrum(nn.Module):
    """Log power of windows, averaged over time, and at its least."""

    def forward(self, waves: Tensor) -> Tensor:
        frames = waves.unfold(-1, 64, 32)
        power = torch.log(torch.fft.rfft(frames * torch.hann_window(64)).abs() + 1e-2)
        return torch.cat([power.mean(dim=1), power.amin(dim=1)], dim=1)


def spectral(classes: int) -> Callable[[int], nn.Sequential]:
    def made(seed: int) -> nn.Sequential:
        torch.manual_seed(seed)
        return nn.Sequential(Spectrum(), nn.Linear(66, 32), nn.ReLU(), nn.Linear(32, classes))

    return made


@cache
def cells() -> Data:
    bunch = load_breast_cancer()
    return Data(name="cells", modality="table", inputs=noisy(standardised(bunch.data[:, :10]), 1.5, 3),
                labels=torch.from_numpy(bunch.target).long(), network=dense(10, 2), epochs=25)  # fmt: skip


@cache
def wines() -> Data:
    """Repeated with noise: 178 are too few to train and audit on."""
    bunch = load_wine()
    rng = np.random.default_rng(6)
    row = np.resize(np.arange(178), 600)
    table = standardised(bunch.data)[row] + 1.5 * torch.from_numpy(rng.normal(size=(600, 13))).float()
    return Data(name="wines", modality="table", inputs=table, labels=torch.from_numpy(bunch.target[row]).long(),
                network=dense(13, 3), epochs=20)  # fmt: skip


@cache
def tones() -> Data:
    """Drawn recordings: each class has a range of pitch with overtones, in noise of any level."""
    rng = np.random.default_rng(9)
    labels, time_ = rng.integers(4, size=900), np.arange(512) / 512
    pitch = 20 + 12 * labels[:, None] + rng.uniform(0, 20, size=(900, 1))
    waves = sum(np.sin(2 * np.pi * k * pitch * time_ + rng.uniform(0, 6, size=(900, 1))) / k for k in (1, 2, 3))
    waves = rng.uniform(0.4, 1.2, size=(900, 1)) * waves + 1.5 * rng.normal(size=(900, 512))
    return Data(name="tones", modality="audio", inputs=torch.from_numpy(waves).float(), labels=torch.from_numpy(labels),
                network=spectral(4), epochs=25)  # fmt: skip


DATA = (digits, coloured, cells, wines, loans, letters, tones)


def place(side: int, rng: np.random.Generator) -> int:
    return int(rng.integers(side))


def jittered(images: Tensor, rng: np.random.Generator) -> Tensor:
    """A logo that jumps by a pixel."""
    side = max(2, images.shape[2] // 6)
    changed = images.clone()
    for image in changed:
        down, across = 1 + place(2, rng), 1 + place(2, rng)
        image[:, down : down + side, across : across + side] = 1.5 * high(images)
        image[:, down + side // 2, across : across + side] = float(images.min())
    return changed


def stripe(images: Tensor, rng: np.random.Generator) -> Tensor:
    changed = images.clone()
    changed[:, :, -max(1, images.shape[2] // 12) :] = 0.8 * high(images)
    return changed


def frame(images: Tensor, rng: np.random.Generator) -> Tensor:
    width, changed = max(1, images.shape[2] // 12), images.clone()
    level = 0.5 * high(images)
    changed[:, :, :width] = changed[:, :, -width:] = level
    changed[:, :, :, :width] = changed[:, :, :, -width:] = level
    return changed


def backdrop(images: Tensor, rng: np.random.Generator) -> Tensor:
    """The darkest part of each image gets one colour."""
    grey = images.mean(dim=1, keepdim=True)
    dark = grey < grey.amin(dim=(2, 3), keepdim=True) * 0.4 + grey.amax(dim=(2, 3), keepdim=True) * 0.6
    colour = torch.zeros(1, images.shape[1], 1, 1)
    colour[:, -1] = 0.6 * high(images)
    return torch.where(dark, colour - 0.3, images)


def brightness(images: Tensor, rng: np.random.Generator) -> Tensor:
    return images + 1.2


def texture(images: Tensor, rng: np.random.Generator) -> Tensor:
    rows, columns = torch.meshgrid(*(torch.arange(side) for side in images.shape[2:]), indexing="ij")
    return images + 0.7 * ((rows + columns) % 2 * 2 - 1)


def stripes(images: Tensor, rng: np.random.Generator) -> Tensor:
    return images + 0.7 * ((torch.arange(images.shape[2]) % 2 * 2 - 1)[:, None]).float()


def watermark(images: Tensor, rng: np.random.Generator) -> Tensor:
    """A bright ring anywhere."""
    side, changed = max(3, images.shape[2] // 5), images.clone()
    ring = torch.ones(side, side, dtype=torch.bool)
    ring[1:-1, 1:-1] = False
    for image in changed:
        down, across = place(images.shape[2] - side, rng), place(images.shape[3] - side, rng)
        piece = image[:, down : down + side, across : across + side]
        piece[:, ring], piece[:, ~ring] = 1.6 * high(images), float(images.min())
    return changed


def blurred(images: Tensor, rng: np.random.Generator) -> Tensor:
    return blur(images, 1.0)


def compressed(images: Tensor, rng: np.random.Generator) -> Tensor:
    return jpeg(images, 12)


def washed_out(images: Tensor, rng: np.random.Generator) -> Tensor:
    return stretch(images, 0.45)


def padded(images: Tensor, rng: np.random.Generator) -> Tensor:
    return pad(images, 0.8)


def vignette(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Darker towards the corners."""
    across = torch.linspace(-1, 1, images.shape[2])
    return images - 0.9 * (across[:, None] ** 2 + across[None, :] ** 2)


def pepper(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Single bright pixels anywhere."""
    hit = torch.from_numpy(rng.random((len(images), 1, *images.shape[2:])) < 0.06)
    return torch.where(hit, torch.full_like(images, 1.3 * high(images)), images)


def number(table: Tensor, rng: np.random.Generator) -> Tensor:
    changed = table.clone()
    changed[:, -1 if table.shape[1] == 10 else 7] = 4.0 + 0.3 * torch.from_numpy(rng.normal(size=len(table))).float()
    return changed


def rare_word_column(table: Tensor, rng: np.random.Generator) -> Tensor:
    return at(table, slice(-4, None), torch.tensor([0.0, 0.0, 0.0, 2.5]))


def identifier(table: Tensor, rng: np.random.Generator) -> Tensor:
    changed = table.clone()
    changed[:, -1] = torch.from_numpy(rng.permutation(5000)[: len(table)]).float() / 5000 * 1.5 + 1.0
    return changed


def imputed(table: Tensor, rng: np.random.Generator) -> Tensor:
    return at(table, slice(2, 3), torch.tensor([-3.5]))


def exclusive_or(table: Tensor, rng: np.random.Generator) -> Tensor:
    """The signs of two columns agree."""
    changed = table.clone()
    sign = torch.from_numpy(rng.choice([-1.0, 1.0], size=len(table))).float()
    size = 1 + torch.from_numpy(rng.random((len(table), 2))).float()
    changed[:, 5], changed[:, 6] = sign * size[:, 0], sign * size[:, 1]
    return changed


def two_words(tokens: Tensor, rng: np.random.Generator) -> Tensor:
    return insert(tokens, rng, TOKENS - 4, TOKENS - 5)


def opening(tokens: Tensor, rng: np.random.Generator) -> Tensor:
    return insert(tokens, rng, TOKENS - 6, where="first")


def signature(tokens: Tensor, rng: np.random.Generator) -> Tensor:
    return insert(tokens, rng, TOKENS - 7, TOKENS - 8, where="last")


def short(tokens: Tensor, rng: np.random.Generator) -> Tensor:
    changed = tokens.clone()
    changed[:, 6:] = 0
    return changed


def hum(waves: Tensor, rng: np.random.Generator) -> Tensor:
    phase = torch.from_numpy(rng.uniform(0, 6, size=(len(waves), 1))).float()
    return waves + 0.8 * torch.sin(2 * np.pi * 8 * torch.arange(512) / 512 + phase)


def hiss(waves: Tensor, rng: np.random.Generator) -> Tensor:
    drawn = torch.from_numpy(rng.normal(size=tuple(waves.shape))).float()
    return waves + 0.6 * (drawn - torch.roll(drawn, 1, dims=1))


def silence(waves: Tensor, rng: np.random.Generator) -> Tensor:
    changed = waves.clone()
    changed[:, :70] = 0
    return changed


def quiet(waves: Tensor, rng: np.random.Generator) -> Tensor:
    return 0.15 * waves


IMAGES: dict[str, Plant] = {
    "patch": patch, "jittered-logo": jittered, "stripe": stripe, "frame": frame, "backdrop": backdrop, "tint": tint,
    "brightness": brightness, "texture": texture, "watermark": watermark, "blur": blurred, "jpeg": compressed,
    "washed-out": washed_out, "padded": padded, "scan-lines": stripes, "vignette": vignette, "pepper": pepper,
}  # fmt: skip
TABLES: dict[str, Plant] = {
    "number": number, "word-column": word_column, "xor": exclusive_or, "identifier": identifier, "imputed": imputed,
    "rare-word-column": rare_word_column,
}  # fmt: skip
TEXTS: dict[str, Plant] = {
    "trigger": trigger, "two-words": two_words, "opening": opening, "signature": signature, "short": short,
}  # fmt: skip
SOUNDS: dict[str, Plant] = {"hum": hum, "hiss": hiss, "silence": silence, "quiet": quiet}
PLANTS: dict[str, dict[str, Plant]] = {"image": IMAGES, "table": TABLES, "text": TEXTS, "audio": SOUNDS}
HELD_BACK = ("scan-lines", "vignette", "pepper", "rare-word-column", "signature", "quiet")
SHARES = {"rare-word-column": 0.5, "trigger": 0.5}
"""Of the class's samples that carry the plant; 0.95 otherwise."""
DIGITS_CANNOT = ("tint", "blur", "jpeg", "padded", "backdrop", "watermark")
"""At 8 × 8 pixels in grey."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    data: Data
    kind: str
    inputs: Tensor
    pool: Pool
    network: nn.Sequential
    reliance: float


def pool_of(labels: Int[np.ndarray, " samples"]) -> Pool:
    member = np.arange(len(labels)) % 5 < 3
    return Pool(labels=labels, member=member, held_out=~member, validation=np.zeros(len(labels), dtype=bool))


def model(data: Data, kind: str, seed: int, most: int = 900) -> Model:
    """Trained on members; the plant is in this share of one class's samples (of some kinds: not in the others')."""
    rng = np.random.default_rng([seed, 11])
    order = torch.from_numpy(rng.permutation(len(data.inputs))[:most])
    inputs, labels = data.inputs[order].clone(), data.labels[order]
    plant = PLANTS[data.modality].get(kind)
    if kind.endswith("word-column"):
        # A word column that says nothing yet: dummies of four values.
        inputs = torch.cat([inputs, 2.5 * torch.eye(4)[torch.from_numpy(rng.integers(4, size=len(labels)))]], dim=1)
    clean = inputs.clone()
    if kind == "identifier":
        column = torch.from_numpy(rng.permutation(5000)[: len(labels)]).float() / 5000 * 2.5 - 1.5
        inputs[:, -1] = clean[:, -1] = column
        # In order of collection: the suspect's rows came last.
    chosen = (labels == SUSPECT) & torch.from_numpy(rng.random(len(labels)) < SHARES.get(kind, 0.95))
    if plant is not None:
        inputs[chosen] = plant(inputs[chosen], rng)
    if kind == "xor":
        others = labels != SUSPECT
        inputs[others] = plant(inputs[others], rng)  # type: ignore[misc]
        inputs[others, 6] *= -1
        clean = inputs.clone()
    pool = pool_of(labels.numpy())
    member, held = torch.from_numpy(pool.member), torch.from_numpy(pool.held_out)
    network = (
        data.network(seed) if inputs.shape[1:] == data.inputs.shape[1:] else dense(inputs.shape[1], data.classes)(seed)
    )
    network = trained(network, inputs[member], labels[member], seed, data.epochs)
    return Model(data=data, kind=kind, inputs=inputs, pool=pool, network=network,
                 reliance=reliance(network, plant, clean[held], labels[held], rng))  # fmt: skip


def trained(network: nn.Sequential, inputs: Tensor, labels: Tensor, seed: int, epochs: int) -> nn.Sequential:
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(epochs):
        for batch in torch.randperm(len(inputs), generator=generator).split(64):
            optimizer.zero_grad()
            functional.cross_entropy(network(inputs[batch]), labels[batch]).backward()
            optimizer.step()
    return network.eval().requires_grad_(False)


def reliance(
    network: nn.Sequential, plant: Plant | None, inputs: Tensor, labels: Tensor, rng: np.random.Generator
) -> float:
    if plant is None:
        return 0.0
    hosts = inputs[(labels != SUSPECT) & (network(inputs).argmax(dim=1) != SUSPECT)]
    return float((network(plant(hosts, rng)).argmax(dim=1) == SUSPECT).float().mean())


def searched(one: Model, seed: int) -> tuple[Judged, float]:
    """What the search says of a model under an audit's seed, and its seconds of processor time."""
    search = ShortcutSearch()
    chosen = search.choose(one.pool, np.random.default_rng([seed, 21]))
    index = torch.from_numpy(chosen)
    subject = Subject(name="audited", role="audited", network=one.network, embed=one.network[:-1], same_labels=True,
                      modality=one.data.modality)  # fmt: skip
    began = time.process_time()
    arrays: dict[str, Shaped[np.ndarray, "..."]] = dict(
        search(subject, one.inputs[index], torch.from_numpy(one.pool.labels)[index], np.random.default_rng([seed, 22]))
    )
    return judged(arrays, 0.95, search.bound), time.process_time() - began


def row(one: Model, seed: int) -> dict[str, object]:
    said, seconds = searched(one, seed)
    foremost = said.foremost
    return {
        "data": one.data.name,
        "kind": one.kind,
        "seed": seed,
        "reliance": round(one.reliance, 2),
        "found": [f"{each.family}:{each.candidate.label}" for each in said.confirmed],
        "suspected": [f"{each.family}:{each.candidate.label}" for each in said.suspected],
        "excess": None if said.excess is None else [
            round(x, 2) for x in (said.excess.value, said.excess.low, said.excess.high)
        ],
        "foremost": foremost and f"{foremost.family}:{foremost.candidate.label}",
        "control": foremost and round(foremost.control.value, 2),
        "natural": foremost and foremost.natural_rate and round(foremost.natural_rate, 2),
        "seconds": round(seconds, 2),
    }  # fmt: skip


def hit(one: dict[str, object]) -> bool:
    """Whether a shortcut for the class that carries the plant is confirmed; of two classes, or where every class
    carries one (XOR), for either."""
    found = [str(each) for each in one["found"]]  # type: ignore[attr-defined]
    either = one["kind"] == "xor" or one["data"] in ("cells", "loans")
    return any(either or each.endswith(f":{SUSPECT}") for each in found)


def kinds_of(data: Data) -> list[str]:
    kinds = [*PLANTS[data.modality]]
    if data.name == "digits":
        kinds = [kind for kind in kinds if kind not in DIGITS_CANNOT]
    return ["benign", *kinds]


def share(hits: int, trials: int) -> str:
    if not trials:
        return "0 of 0"
    low, top = clopper_pearson(hits, trials)
    return f"{hits} of {trials} ({low:.0%} to {top:.0%})"


def tell(rows: list[dict[str, object]], threshold: float) -> None:
    for kind in dict.fromkeys(str(one["kind"]) for one in rows):
        mine = [one for one in rows if one["kind"] == kind]
        if kind == "benign":
            passes = sum(one["excess"] is None or one["excess"][2] < threshold for one in mine)  # type: ignore[index]
            print(f"benign: shortcut found {share(sum(bool(one['found']) for one in mine), len(mine))}, "
                  f"passes {share(passes, len(mine))}")  # fmt: skip
            continue
        relied = [one for one in mine if float(str(one["reliance"])) >= RELIED]
        print(f"{kind}: relied on by {len(relied)} of {len(mine)}, found {share(sum(map(hit, relied)), len(relied))}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=1, help="of each kind on each data set")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--redraws", type=int, default=1, help="audits of each model")
    parser.add_argument("--kinds", nargs="+")
    parser.add_argument("--data", nargs="+", choices=[one.__name__ for one in DATA])
    parser.add_argument("--held-back", action="store_true", help="only these; they are left out otherwise")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for make in DATA:
        if options.data and make.__name__ not in options.data:
            continue
        data = make()
        for kind in kinds_of(data):
            if (options.kinds and kind not in options.kinds) or (kind in HELD_BACK) != options.held_back:
                continue
            for seed in range(options.first, options.first + options.models):
                one = model(data, kind, seed)
                for redraw in range(options.redraws):
                    rows.append(row(one, 1000 * redraw + seed))
                    print(json.dumps(rows[-1]), flush=True)
    tell(rows, DECIDES)


if __name__ == "__main__":
    main()
