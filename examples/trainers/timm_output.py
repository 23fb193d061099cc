"""The output folder of timm's training script: args.yaml contains nearly everything that the audit needs.

pip install 'transfer-audit[timm]'
python examples/trainers/timm_output.py
audit run --model timm-example/output

The script itself writes such a folder (`python train.py DATA --model NAME --output OUTPUT`); this example writes the
same files after a short training.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import timm
import torch
from PIL import Image
from sklearn.datasets import load_digits

ARGUMENTS = {
    "model": "test_resnet", "num_classes": 2, "opt": "sgd", "lr": 0.05, "momentum": 0.9, "epochs": 3, "batch_size": 20,
    "sched": "none", "img_size": 32, "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "seed": 42, "smoothing": 0.0,
    "pretrained": False,
}  # fmt: skip


def pictures(folder: Path) -> None:
    """train/ and val/ with one folder per class: the layout that timm reads."""
    images, digits = load_digits(return_X_y=True)
    for part, first in (("train", 0), ("test", 60)):
        for digit in (3, 8):
            place = folder / part / str(digit)
            place.mkdir(parents=True, exist_ok=True)
            for index in np.flatnonzero(digits == digit)[first : first + 60]:
                Image.fromarray((images[index].reshape(8, 8) * 15.9).astype("uint8")).resize((32, 32)).save(
                    place / f"{index}.png"
                )


def train(folder: Path) -> Path:
    pictures(folder / "data")
    out = folder / "output"
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(42)
    files = sorted((folder / "data" / "train").glob("*/*.png"))
    inputs = torch.stack(
        [torch.from_numpy(np.asarray(Image.open(file).convert("RGB"))).permute(2, 0, 1) for file in files]
    )
    inputs, targets = (inputs / 255 - 0.5) / 0.5, torch.tensor([int(file.parent.name == "8") for file in files])
    network = timm.create_model("test_resnet", num_classes=2)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
    for _ in range(3):
        for batch in torch.randperm(len(inputs)).split(20):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(inputs[batch]), targets[batch]).backward()
            optimizer.step()
    given = ARGUMENTS | {"data_dir": str((folder / "data").resolve())}
    (out / "args.yaml").write_text(
        "\n".join(
            f"{name}: {str(value).lower() if isinstance(value, bool) else value}" for name, value in given.items()
        )
    )
    torch.save(
        {"state_dict": network.state_dict(), "args": argparse.Namespace(**given), "epoch": 2}, out / "last.pth.tar"
    )
    return out


if __name__ == "__main__":
    print(f"audit run --model {train(Path(sys.argv[1] if len(sys.argv) > 1 else 'timm-example'))}")
