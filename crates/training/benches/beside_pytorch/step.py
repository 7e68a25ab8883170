"""Times steps in PyTorch for main.rs: a line with a number of steps in, a line out.

    step.py FACTORS INVERSES NETWORK BATCH threads=THREADS RULE

K-FAC renews factors every FACTORS and inverses every INVERSES steps. Out: wall and CPU seconds of a step, of each kind of steps, then the most memory of this process so far in MB.
"""

import sys
import time
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy

sys.path.append(str(Path(__file__).parents[2] / "tests" / "pytorch"))
import networks
from kfac import Kfac

FACTORS, INVERSES = map(int, sys.argv[1:3])
name, batch, threads, rule = sys.argv[3:]
batch = int(batch)
torch.set_num_threads(int(threads.removeprefix("threads=")))
torch.manual_seed(0)
shape, network = {
    "mlp": lambda: ((1, 8, 8), networks.Mlp(64, [32])),
    "cnn": lambda: ((1, 8, 8), networks.Cnn((1, 8, 8), [8, 16])),
    "resnet20": lambda: ((3, 32, 32), networks.ResNet(3)),
    "alexnet": lambda: ((3, 32, 32), networks.AlexNet()),
}[name]()
sgd = torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9, weight_decay=5e-4)
kfac = None if rule == "sgd" else Kfac(network, 0.1, rule, FACTORS, INVERSES)
images = torch.randn(2 * batch, *shape)
labels = torch.arange(2 * batch) % 10
order = torch.empty(0, dtype=torch.long)


def train():
    global order
    if len(order) < batch:
        order = torch.randperm(len(images))
    chosen, order = order[:batch], order[batch:]
    x, y = images[chosen], labels[chosen]
    sgd.zero_grad()
    logits = network(x)
    if kfac:
        loss = kfac.backward(logits, y)
    else:
        loss = cross_entropy(logits, y)
        loss.backward()
    sgd.step()
    return loss.item()


def kind(step):
    """0 renews nothing, 1 factors, 2 factors and inverses."""
    if kfac is None:
        return 0
    return 2 if step % INVERSES == 0 else 1 if step % FACTORS == 0 else 0


def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


made = 0
for line in sys.stdin:
    spent = [[0, 0.0, 0.0] for _ in range(1 if kfac is None else 3)]
    for _ in range(int(line)):
        start, cpu = time.perf_counter(), time.process_time()
        train()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - start
        of_kind = spent[kind(made)]
        of_kind[0] += 1
        of_kind[1] += wall
        of_kind[2] += cpu
        made += 1
    # Two steps to warm up are not of all kinds.
    print(*(total / max(steps, 1) for steps, *totals in spent for total in totals), peak(), flush=True)
