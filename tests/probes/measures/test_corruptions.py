"""Corruptions against what they must leave alone and what they must change."""

from __future__ import annotations

import io

import numpy as np
import torch
from PIL import Image

from probes.measures.corruptions import blur, jpeg, missing, pad, shift, stretch, typos


def images() -> torch.Tensor:
    across = torch.linspace(0, 1, 24)
    return (across[:, None] * across[None, :])[None, None].repeat(2, 1, 1, 1)


def test_a_jpeg_of_a_smooth_image_is_near_pillows() -> None:
    """The same table and blocks: within a few grey levels of libjpeg."""
    given = images()
    grey = Image.fromarray((given[0, 0].numpy() * 255).round().astype(np.uint8))
    stream = io.BytesIO()
    grey.save(stream, "JPEG", quality=50)
    theirs = np.asarray(Image.open(stream), dtype=np.float64)
    ours = jpeg(given, 50)[0, 0].numpy() * 255
    assert np.abs(ours - theirs).mean() < 1.5


def test_what_corruptions_keep() -> None:
    given = images()
    torch.testing.assert_close(blur(torch.ones(1, 2, 9, 9), 1.0), torch.ones(1, 2, 9, 9))
    torch.testing.assert_close(shift(given, 0, 0), given)
    assert torch.equal(shift(given, 2, 0)[:, :, 2:], given[:, :, :-2])
    torch.testing.assert_close(stretch(given, 1.0), given)
    assert pad(given, 0.5).shape == given.shape
    assert float(pad(given, 0.5)[:, :, 0].abs().max()) == 0


def test_typos_and_missing_values_hit_their_share_and_no_padding() -> None:
    rng = np.random.default_rng(0)
    table = torch.from_numpy(rng.normal(size=(400, 5)))
    assert abs(float((missing(table, 0.2, rng) != table).double().mean()) - 0.2) < 0.03
    tokens = torch.randint(1, 50, (200, 12))
    tokens[:, 8:] = 0
    changed = typos(tokens, 0.3, rng)
    assert torch.equal(changed[:, 8:], tokens[:, 8:])
    assert 0.2 < float((changed != tokens)[:, :8].double().mean()) < 0.35
