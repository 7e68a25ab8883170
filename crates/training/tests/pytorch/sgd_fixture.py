"""Makes `sgd.safetensors`: losses of ResNet20 on real CIFAR-10 images, step by step, as PyTorch trains it.

    python sgd_fixture.py ../../../../../shared/data/cifar-10-binary.tar.gz

The first 1,280 records of `data_batch_1.bin`, normalised with MEAN and STD, no augmentation; initial weights
from `formula.py`; the batches of `sgd_batches.txt`, one a line. For each rule: `NAME.single` and `NAME.double`,
the losses [20] before each update, in single and in double precision.
"""

import pathlib
import sys
import tarfile

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

import formula
import networks

HERE = pathlib.Path(__file__).parent
EXAMPLES = 1280
MEAN, STD = (0.49, 0.48, 0.45), (0.25, 0.24, 0.26)
RULES = {
    "plain": {"lr": 0.002},
    "momentum": {"lr": 0.0005, "momentum": 0.9, "weight_decay": 5e-4},
}


def examples(path):
    with tarfile.open(path) as archive:
        file = archive.extractfile("cifar-10-batches-bin/data_batch_1.bin")
        raw = torch.frombuffer(bytearray(file.read(EXAMPLES * 3073)), dtype=torch.uint8)
    raw = raw.reshape(EXAMPLES, 3073)
    pixels = raw[:, 1:].reshape(EXAMPLES, 3, 32, 32).double() / 255
    per_channel = lambda values: torch.tensor(values, dtype=torch.float64).reshape(1, 3, 1, 1)
    return (pixels - per_channel(MEAN)) / per_channel(STD), raw[:, 0].long()


def losses(images, labels, batches, rule, dtype):
    network = networks.by_name("resnet20")
    network.load_state_dict(formula.state(network))
    network.to(dtype)
    optimizer = torch.optim.SGD(network.parameters(), **rule)
    result = []
    for batch in batches:
        loss = F.cross_entropy(network(images[batch].to(dtype)), labels[batch])
        result.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return torch.tensor(result, dtype=torch.float64)


if __name__ == "__main__":
    images, labels = examples(sys.argv[1])
    lines = (HERE / "sgd_batches.txt").read_text().splitlines()
    batches = [[int(index) for index in line.split()] for line in lines]
    tensors = {
        f"{name}.{precision}": losses(images, labels, batches, rule, dtype)
        for name, rule in RULES.items()
        for precision, dtype in [("single", torch.float32), ("double", torch.float64)]
    }
    for name, values in tensors.items():
        print(name, [round(value, 4) for value in values.tolist()])
    save_file(tensors, HERE / "sgd.safetensors")
