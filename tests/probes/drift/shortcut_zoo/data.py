"""Data sets of four modalities, and a small network for each."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer, load_wine
from torch import Tensor, nn

from audit.self_check.networks import convolutional, dense
from audit.self_check.samples import Data, coloured, digits, drawn_texts, letters, loans, standardised
from probes.measures.corruptions import blur


class Spectrum(nn.Module):
    """Log power of windows: averaged over time, at its least, and how much the second half has more than the first."""

    def forward(self, waves: Tensor) -> Tensor:
        frames = waves.unfold(-1, 64, 32)
        power = torch.log(torch.fft.rfft(frames * torch.hann_window(64)).abs() + 1e-2)
        half = power.shape[1] // 2
        change = power[:, half:].mean(dim=1) - power[:, :half].mean(dim=1)
        return torch.cat([power.mean(dim=1), power.amin(dim=1), change], dim=1)


def noisy(table: Tensor, spread: float, seed: int) -> Tensor:
    """A task that is not too easy: on an easy task, no model relies on a plant."""
    return table + spread * torch.from_numpy(np.random.default_rng(seed).normal(size=tuple(table.shape))).float()


def spectral(classes: int) -> Callable[[int], nn.Sequential]:
    def made(seed: int) -> nn.Sequential:
        torch.manual_seed(seed)
        return nn.Sequential(Spectrum(), nn.Linear(99, 32), nn.ReLU(), nn.Linear(32, classes))

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


@cache
def shapes() -> Data:
    """Four small shapes of 13 pixels (+, T, X, L) anywhere on a textured ground: the mark is the object."""
    return drawn_shapes("shapes", apart=16)


@cache
def centred() -> Data:
    """The same shapes, all in the middle, a pixel off at most."""
    return drawn_shapes("centred", apart=2)


def drawn_shapes(name: str, apart: int) -> Data:
    rng = np.random.default_rng(13)
    labels = rng.integers(4, size=1200)
    images = 0.5 + 0.25 * rng.normal(size=(1200, 3, 24, 24)) + 0.2 * rng.normal(size=(1200, 3, 1, 1))
    kinds = np.zeros((4, 7, 7), dtype=bool)
    kinds[0, 3], kinds[0, :, 3] = True, True
    kinds[1, 0], kinds[1, :, 3] = True, True
    kinds[2][np.eye(7, dtype=bool) | np.eye(7, dtype=bool)[::-1]] = True
    kinds[3, 6], kinds[3, :, 0] = True, True
    drawn = blur(torch.from_numpy(np.pad(kinds, ((0, 0), (1, 1), (1, 1)))[:, None]).float(), 0.7)[:, 0].numpy()
    first = (24 - 9 - apart + 1) // 2
    for image, label in zip(images, labels, strict=True):
        down, across = first + rng.integers(apart, size=2)
        image[:, down : down + 9, across : across + 9] += rng.uniform(1.0, 1.7) * drawn[label]
    return Data(name=name, modality="image", inputs=torch.from_numpy((images - 0.6) / 0.35).float(),
                labels=torch.from_numpy(labels), network=convolutional(3, 24, 4), epochs=20)  # fmt: skip


@cache
def reviews() -> Data:
    """Drawn texts of two classes and of any length: common words of either class, and words that turn them round."""
    return drawn_texts("reviews", 14, classes=2, lengths=(6, 25), own=40, share=0.2)


@cache
def chirps() -> Data:
    """Drawn recordings whose pitch rises, stays, or falls, at any height, in noise of any level."""
    rng = np.random.default_rng(15)
    labels, moment = rng.integers(3, size=900), np.arange(512) / 512
    start, bend = rng.uniform(40, 90, size=(900, 1)), 40 * (1 - labels[:, None])
    waves = np.sin(2 * np.pi * (start * moment + bend * moment**2) + rng.uniform(0, 6, size=(900, 1)))
    waves = rng.uniform(0.5, 1.0, size=(900, 1)) * waves + 0.5 * rng.normal(size=(900, 512))
    return Data(name="chirps", modality="audio", inputs=torch.from_numpy(waves).float(),
                labels=torch.from_numpy(labels), network=spectral(3), epochs=30)  # fmt: skip


def adult(path: Path) -> Data:
    """UCI Adult without a header; dummies for words, everything standardised."""
    import pandas as pd

    rows = pd.read_csv(path, header=None, skipinitialspace=True)
    table = pd.get_dummies(rows.iloc[:, :-1]).astype(float).to_numpy()
    rich = rows.iloc[:, -1].astype(str).str.contains(">50K").to_numpy().astype(np.int64)
    return Data(name="adult", modality="table", inputs=standardised(table), labels=torch.from_numpy(rich),
                network=dense(table.shape[1], 2), epochs=10)  # fmt: skip


def photographs(path: Path) -> Data:
    """CIFAR-10: images [n 32 32 3] uint8 and labels."""
    bunch = np.load(path, allow_pickle=False)
    images = (torch.from_numpy(bunch["images"]).permute(0, 3, 1, 2).float() / 255 - 0.47) / 0.25
    return Data(name="photographs", modality="image", inputs=images, labels=torch.from_numpy(bunch["labels"]).long(),
                network=convolutional(3, 32, 10), epochs=12)  # fmt: skip


DATA = (digits, coloured, shapes, centred, cells, wines, loans, letters, reviews, tones, chirps)
