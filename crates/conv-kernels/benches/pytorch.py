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


for line in sys.stdin:
    batch, inputs, outputs, size, kernel, stride = map(int, line.split())
    padding = kernel // 2
    x = torch.full((batch, inputs, size, size), 0.5)
    w = torch.full((outputs, inputs, kernel, kernel), 0.25)
    with torch.no_grad():
        y = torch.nn.functional.conv2d(x, w, None, stride, padding)

        def backward(data, weight):
            return torch.ops.aten.convolution_backward(
                y, x, w, None, [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], 1,
                [data, weight, False],
            )

        times = [
            least(lambda: torch.nn.functional.conv2d(x, w, None, stride, padding)),
            least(lambda: backward(True, False)),
            least(lambda: backward(False, True)),
        ]
    print(*times, flush=True)
