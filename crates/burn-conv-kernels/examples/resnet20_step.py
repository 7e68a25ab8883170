"""Seconds of an SGD step of ResNet20 in PyTorch: see resnet20_step.rs.

Usage: resnet20_step.py BATCH THREADS STEPS
"""

import sys
import time

import torch
from torch.nn import functional as F

BATCH, THREADS, STEPS = map(int, sys.argv[1:])
torch.set_num_threads(THREADS)


class Layer(torch.nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv = torch.nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm = torch.nn.BatchNorm2d(outputs)
        self.stride = stride

    def forward(self, x):
        return self.norm(self.conv(x))


class ResNet20(torch.nn.Module):
    def __init__(self):
        super().__init__()
        layers = [Layer(3, 16, 1)]
        for inputs, outputs in [(16, 16), (16, 32), (32, 64)]:
            for block in range(3):
                inputs = inputs if block == 0 else outputs
                layers += [Layer(inputs, outputs, outputs // inputs), Layer(outputs, outputs, 1)]
        self.layers = torch.nn.ModuleList(layers)
        self.last = torch.nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.layers[0](x))
        for first, second in zip(self.layers[1::2], self.layers[2::2]):
            shortcut = x
            if first.stride == 2:
                channels = x.shape[1] // 2
                shortcut = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, channels, channels))
            x = F.relu(second(F.relu(first(x))) + shortcut)
        return self.last(x.mean(dim=(2, 3)))


torch.manual_seed(0)
network = ResNet20()
sgd = torch.optim.SGD(network.parameters(), lr=0.01)
x = torch.randn(BATCH, 3, 32, 32)
labels = torch.arange(BATCH) % 10
seconds = []
for step in range(STEPS + 1):
    if step == 1:
        cpu = time.process_time()
    start = time.perf_counter()
    sgd.zero_grad()
    loss = F.cross_entropy(network(x), labels)
    loss.backward()
    sgd.step()
    seconds.append(time.perf_counter() - start)
cpu = (time.process_time() - cpu) / STEPS
print(f"PyTorch  {min(seconds):.3f} s a step, {cpu:.3f} s of CPU, loss {loss.item():.3f}")
