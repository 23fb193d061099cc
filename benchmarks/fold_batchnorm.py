"""Accuracy of a pretrained ResNet-20 on CIFAR-10 before and after BatchNorm is made fit for DP-SGD.

    python benchmarks/fold_batchnorm.py --data ../shared/data

Folding (what `privacy.batchnorm = "fold"` does) against Opacus's ModuleValidator.fix, on the same images.
"""

from __future__ import annotations

import argparse
import copy
import warnings
from pathlib import Path

import numpy as np
from opacus.validators import ModuleValidator

from audit.preparation import fold_batchnorm
from audit.preprocess import preprocess
from audit.recipe import InputSection, SourceSection
from audit.source import build, read_state
from audit.train import predict

EXAMPLES = Path(__file__).parents[1] / "examples"
DATA = EXAMPLES / "../../shared/data"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--data", type=Path, default=DATA)
    data = arguments.parse_args().data
    if not (data / "cifar10_resnet20.th").is_file():
        print(f"Not run: {data} has no cifar10_resnet20.th and cifar10.npz; give --data FOLDER.")
        return
    warnings.simplefilter("ignore")
    network = build(SourceSection(model="cifar_resnet20:resnet20"), EXAMPLES, trust_code=True)
    network.load_state_dict(read_state(data / "cifar10_resnet20.th"))
    network.eval()
    with np.load(data / "cifar10.npz", allow_pickle=False) as archive:
        images, labels = archive["images"], archive["labels"]
    section = InputSection(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    inputs = preprocess(images, section, "image")
    fixed = ModuleValidator.fix(copy.deepcopy(network))
    for name, candidate in (("as it is", network), ("folded", fold_batchnorm(network)), ("ModuleValidator.fix", fixed)):
        print(f"{name:20} {(predict(candidate, inputs).argmax(1) == labels).mean():.2%} of {len(labels)}")


if __name__ == "__main__":
    main()
