"""Times PyTorch's convolutions for benches/layers.rs, a line in, a line out.

Usage: pytorch.py THREADS SECONDS
"""

import sys
import time

import torch

torch.set_num_threads(int(sys.argv[1]))
SECONDS = float(sys.argv[2])


def least(work):
    work()
    start = time.perf_counter()
    best = float("inf")
    while time.perf_counter() - start < SECONDS:
        call = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - call)
    return best


def convolution(batch, inputs, outputs, size, kernel, stride):
    padding = kernel // 2
    x = torch.full((batch, inputs, size, size), 0.5)
    w = torch.full((outputs, inputs, kernel, kernel), 0.25)
    y = torch.nn.functional.conv2d(x, w, None, stride, padding)

    def backward(data, weight):
        return torch.ops.aten.convolution_backward(
            y, x, w, None, [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], 1,
            [data, weight, False],
        )

    return [
        least(lambda: torch.nn.functional.conv2d(x, w, None, stride, padding)),
        least(lambda: backward(True, False)),
        least(lambda: backward(False, True)),
    ]


def normalisation(batch, channels, area):
    x = (torch.arange(batch * channels * area) % 7).float().reshape(batch, channels, area)
    g = (torch.arange(batch * channels * area) % 5).float().reshape(batch, channels, area)
    scale, shift = torch.ones(channels), torch.zeros(channels)
    mean, variance = torch.zeros(channels), torch.ones(channels)

    def forward():
        y, m, s = torch.ops.aten.native_batch_norm(
            x, scale, shift, mean, variance, True, 0.1, 1e-5
        )
        return torch.nn.functional.relu_(y), m, s

    y, m, s = forward()

    def backward():
        through = torch.ops.aten.threshold_backward(g, y, 0)
        return torch.ops.aten.native_batch_norm_backward(
            through, x, scale, mean, variance, m, s, True, 1e-5, [True, True, True]
        )

    return [least(forward), least(backward)]


for line in sys.stdin:
    what, *sizes = line.split()
    with torch.no_grad():
        times = {"conv": convolution, "norm": normalisation}[what](*map(int, sizes))
    print(*times, flush=True)
