"""A small audio task: which of four instruments plays a note; spectrograms [samples, frames, bands]."""

import numpy as np
import torch
from torch import Tensor, nn

from audit.data.dataset import Dataset

RATE, SECONDS, WINDOW = 4000, 0.5, 128
# Strength of each overtone, and how fast the note decays.
TIMBRES = {
    "flute": ((1.0, 0.2, 0.05), 1.0),
    "clarinet": ((1.0, 0.0, 0.7, 0.0, 0.4), 1.0),
    "violin": ((1.0, 0.8, 0.6, 0.5, 0.4), 2.0),
    "harp": ((1.0, 0.5, 0.2), 8.0),
}


def instruments(samples: int, seed: int) -> Dataset:
    rng = np.random.default_rng(seed)
    names, time = tuple(TIMBRES), np.arange(int(RATE * SECONDS)) / RATE
    labels, waves = rng.integers(0, len(names), samples), []
    for label in labels:
        overtones, decay = TIMBRES[names[label]]
        pitch, phase = rng.uniform(110, 350), rng.uniform(0, 2 * np.pi)
        wave = sum(
            strength * np.sin(2 * np.pi * pitch * (k + 1) * time + phase) for k, strength in enumerate(overtones)
        )
        waves.append(wave * np.exp(-decay * time) + rng.normal(0, 0.5, len(time)))
    sound = torch.tensor(np.stack(waves), dtype=torch.float32)
    spectrum = torch.stft(sound, WINDOW, window=torch.hann_window(WINDOW), return_complex=True).abs()
    inputs = torch.log1p(spectrum).transpose(1, 2).numpy()
    return Dataset(name="instruments", inputs=inputs, labels=labels, classes=names, modality="audio")


class SpectrogramCNN(nn.Module):
    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.ReLU()
        )
        self.head = nn.Linear(16, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x.unsqueeze(1)).mean((2, 3)))


def spectrogram_cnn(num_classes: int = 4) -> nn.Module:
    return SpectrogramCNN(num_classes)
