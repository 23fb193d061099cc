"""A model that is sharded over processes by FSDP: each replica is trained by a launch of torchrun, as the model was.

python examples/trainers/fsdp_processes.py
audit run --trainer examples/trainers/fsdp_processes.py:train --workers 1

The launcher's own arguments decide how many processes and machines share a model; the same works with `accelerate
launch` and DeepSpeed in place of torchrun. Give --workers 1: each training takes all processors by itself.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional

PROCESSES = 2
images, digits = load_digits(return_X_y=True)
X, y = (images[:400] / 16).astype("float32"), digits[:400]


def data():
    return X, y, range(200)


def network():
    return nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


def train(fit):
    np.savez(fit.folder / "fit.npz", kept=fit.kept, targets=fit.targets, seed=fit.seed)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={PROCESSES}"]
    log = fit.folder / "log.txt"
    with log.open("w") as file:
        done = subprocess.run([*launch, __file__, str(fit.folder)], check=False, stdout=file, stderr=file)
    if done.returncode:
        raise RuntimeError(f"torchrun ended with {done.returncode}: {log.read_text()[-2000:]}")
    trained = network()
    trained.load_state_dict(torch.load(fit.folder / "weights.pt", weights_only=True))
    return trained


def train_shard(folder):
    """What each process does: its part of every minibatch, its part of the weights."""
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
    from torch.distributed.fsdp import fully_shard

    torch.distributed.init_process_group("gloo")
    rank, world = torch.distributed.get_rank(), torch.distributed.get_world_size()
    given = np.load(folder / "fit.npz")
    torch.manual_seed(int(given["seed"]))  # the same in all processes: they begin with one network
    model, order = network(), torch.Generator().manual_seed(int(given["seed"]))
    mesh = torch.distributed.device_mesh.init_device_mesh("cpu", (world,))
    for layer in (model[0], model[2], model):
        fully_shard(layer, mesh=mesh)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    inputs, targets = torch.from_numpy(X[given["kept"]]), torch.from_numpy(given["targets"])
    for _ in range(15):
        for batch in torch.randperm(len(inputs), generator=order).split(48):
            mine = batch[rank::world]
            loss = functional.cross_entropy(model(inputs[mine]), targets[mine], reduction="sum") * world / len(batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    weights = get_model_state_dict(model, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
    if rank == 0:
        torch.save(weights, folder / "weights.pt")
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    if "LOCAL_RANK" in os.environ:
        train_shard(Path(sys.argv[1]))
    else:
        import audit

        report = audit.run(None, data()[:2], members=range(200), trainer=train, workers=1, out="fsdp-report")
        print(report.verdict.status)
