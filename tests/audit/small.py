"""A recipe that trains in a second: a narrow network on digits."""

RECIPE = """
name = "small"
seed = 3
transfer = "last:1"

[data]
kind = "digits"
classes = ["5", "6", "7", "8", "9"]

[split]
members = 80
held_out = 80
validation = 40

[input]
size = 24
channels = 3

[source]
model = "torchvision:squeezenet1_1"

[source.training]
data = { kind = "digits", classes = ["0", "1", "2", "3", "4"] }
split = { members = 100, held_out = 50 }
train = { epochs = 1, lr = 0.01 }

[train]
epochs = 3
lr = 0.01
batch_size = 32
"""
