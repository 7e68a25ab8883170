"""Time of a step of ResNet20 by SGD in PyTorch on a GPU, eager and with CUDA graphs; TF32 as PyTorch has it.

    python3 pytorch.py FOLDER

FOLDER has `networks.py`: crates/training/tests/pytorch. `cpu` as a second argument tries the script where no GPU is.
"""

import sys
import time

import torch
from torch.nn.functional import cross_entropy

sys.path.append(sys.argv[1])
import networks

device = sys.argv[2] if len(sys.argv) > 2 else "cuda"
synchronize = torch.cuda.synchronize if device == "cuda" else lambda: None
modes = [None, "reduce-overhead"] if device == "cuda" else [None]
for mode in modes:
    for batch in (128, 1024, 8192) if device == "cuda" else (128,):
        network = networks.ResNet(3).to(device)
        forward = torch.compile(network, mode=mode) if mode else network
        sgd = torch.optim.SGD(network.parameters(), 1e-4, 0.9, weight_decay=5e-4)
        images, labels = torch.randn(batch, 3, 32, 32, device=device), torch.arange(batch, device=device) % 10

        def steps(count):
            for _ in range(count):
                sgd.zero_grad()
                loss = cross_entropy(forward(images), labels)
                loss.backward()
                sgd.step()
                loss.item()

        steps(10)
        synchronize()
        start = time.perf_counter()
        steps(50)
        synchronize()
        microseconds = 1e6 * (time.perf_counter() - start) / 50
        print(f"PyTorch {torch.__version__}, {mode or 'eager'}, batch {batch}: {microseconds:.0f} us a step", flush=True)
