"""Reading and preprocessing a folder of images: CPU time and memory against their number, each in a process of its own.

    python benchmarks/images_growth.py [--samples 50000 100000 200000] [--side 64]

Memory is what no file backs: decoded and preprocessed images beyond a GiB are mapped files. A thousand different images
are linked again and again, so that the folder needs little room.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from json import dumps, loads
from pathlib import Path

import numpy as np
from figures import Measured, above_mapped, arguments, growth, publish
from PIL import Image
from setting import Peak

from audit.config.recipe import InputSection
from audit.data.folder import Folder
from audit.training.preprocessing import preprocess

DIFFERENT, CLASSES = 1000, 10


def images(folder: Path, samples: int, side: int) -> None:
    """A folder for each class, of PNG files."""
    rng = np.random.default_rng(0)
    originals = folder / "originals"
    originals.mkdir()
    for number in range(DIFFERENT):
        coarse = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((side, side)).save(originals / f"{number}.png")
    for number in range(samples):
        place = folder / "data" / f"class{number % CLASSES}"
        place.mkdir(parents=True, exist_ok=True)
        os.link(originals / f"{number % DIFFERENT}.png", place / f"{number}.png")


def point(folder: Path, side: int, json: Path) -> None:
    with Peak() as peak:
        begun, before = peak.own, time.process_time()
        dataset = Folder(kind="folder", path="data").load(folder)
        section = InputSection(size=side, channels=3, mean=(0.5,) * 3, std=(0.5,) * 3)
        read = preprocess(dataset.inputs, section, "image")
    spent = time.process_time() - before
    mapped = dataset.inputs.nbytes + read.nbytes
    json.write_text(dumps({"spent": spent, "above": (peak.own - begun) / 1e6, "mapped": mapped / 1e6}), "utf-8")


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--samples", type=int, nargs="+", default=[50_000, 100_000, 200_000])
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        point(given.one, given.side, given.json)
        return
    found = {}
    for samples in given.samples:
        with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/var/tmp")) as name:
            folder, told = Path(name), Path(name) / "point.json"
            images(folder, samples, given.side)
            line = [sys.executable, __file__, "--one", str(folder), "--side", str(given.side), "--json", str(told)]
            subprocess.run(line, check=True)
            found[samples] = loads(told.read_text())
        print(samples, {key: round(value, 1) for key, value in found[samples].items()}, flush=True)
    most = max(found)
    what = f"{most} images of {given.side} × {given.side}, read and preprocessed"
    publish(
        [
            Measured(what=f"{what}: CPU time", value=found[most]["spent"], unit="s"),
            growth(what, {samples: one["spent"] for samples, one in found.items()}),
            above_mapped(what, found[most]["above"]),
        ],
        given.json,
    )


if __name__ == "__main__":
    main()
