"""A custom training loop: the same code, with focal loss and mixup, also trains the replicas.

python examples/trainers/own_loop.py
audit run --trainer examples/trainers/own_loop.py:train
"""

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional

images, digits = load_digits(return_X_y=True)
X, y = (images[:400] / 16).astype("float32"), digits[:400]


def data():
    return X, y, range(200)


def train(fit):
    inputs, targets = torch.from_numpy(X[fit.kept]), functional.one_hot(torch.from_numpy(fit.targets), 10).float()
    network = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.01)
    for _ in range(15):
        for batch in torch.randperm(len(inputs)).split(50):
            other, share = batch[torch.randperm(len(batch))], float(np.random.beta(0.4, 0.4))  # noqa: NPY002
            mixed = share * inputs[batch] + (1 - share) * inputs[other]
            wanted = share * targets[batch] + (1 - share) * targets[other]
            log_p = functional.log_softmax(network(mixed), dim=1)
            loss = -(wanted * (1 - log_p.exp()) ** 2 * log_p).sum(dim=1).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return network


if __name__ == "__main__":
    import audit

    print(audit.run(None, data()[:2], members=range(200), trainer=train, out="own-loop-report").verdict.status)
