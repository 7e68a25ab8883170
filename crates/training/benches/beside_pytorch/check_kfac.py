"""Checks kfac.py with the numbers that the crate burn-kfac is tested with: crates/burn-kfac/tests/fixtures.

    check_kfac.py

Prints, for each network and Fisher matrix, the largest difference of a factor or a preconditioned gradient, relative to
the largest entry of that matrix; fails above 1e-10. Both are in double precision.
"""

import json
from pathlib import Path
from unittest import mock

import torch
from torch import nn
from torch.nn.functional import relu

from kfac import Kfac

FIXTURES = Path(__file__).parents[3] / "burn-kfac/tests/fixtures"


class Mlp(nn.Module):
    def __init__(self, spec):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(spec["inp"][0], spec["hid"]), nn.Linear(spec["hid"], spec["out"])

    def forward(self, x):
        return self.fc2(relu(self.fc1(x)))


class Cnn(nn.Module):
    def __init__(self, spec):
        super().__init__()
        layer = lambda inputs, at: nn.Conv2d(
            inputs, spec[f"c{at}"], spec[f"k{at}"], spec[f"s{at}"], spec[f"p{at}"], bias=spec[f"b{at}"]
        )
        self.conv1, self.conv2 = layer(spec["inp"][0], 1), layer(spec["c1"], 2)
        self.fc = nn.Linear(spec["c2"], spec["out"])

    def forward(self, x):
        return self.fc(self.conv2(relu(self.conv1(x))).mean((2, 3)))


def check(network, fisher, tensors, damping):
    weights = {name.removeprefix("param/"): value for name, value in tensors.items() if name.startswith("param/")}
    network.load_state_dict(weights)
    kfac = Kfac(network, float(damping), fisher, 1, 1)
    drawn = tensors["y_sampled"][0][:, None]
    with mock.patch("torch.multinomial", lambda probabilities, count: drawn):
        kfac.backward(network(tensors["x"][0]), tensors["y"][0])
    worst = 0.0
    for name, layer in network.named_children():
        u = layer.weight.grad.flatten(1)
        if layer.bias is not None:
            u = torch.cat([u, layer.bias.grad[:, None]], 1)
        a, g = [factor / (1 - kfac.decay) for factor in kfac.factors[layer]]
        pairs = [(a, f"A_mean/{name}"), (g, f"G_mean_sampled/0/{name}")]
        if fisher == "empirical":
            pairs = [(a, f"A_mean/{name}"), (g, f"G_mean/{name}"), (u, f"precond/eigen/{damping}/{name}")]
        for ours, expected in pairs:
            expected = tensors[expected]
            worst = max(worst, ((ours - expected).abs().max() / expected.abs().max()).item())
    return worst


for network in [Mlp, Cnn]:
    name = network.__name__.lower()
    fixture = json.loads((FIXTURES / f"{name}.json").read_text())
    assert not fixture["spec"].get("relu2"), "the last convolution is not rectified"
    tensors = {
        name: torch.tensor(tensor["data"], dtype=torch.long if name[0] == "y" else torch.double).reshape(tensor["shape"])
        for name, tensor in fixture["tensors"].items()
    }
    for fisher in ["empirical", "sampled"]:
        worst = max(check(network(fixture["spec"]).double(), fisher, tensors, str(lam)) for lam in fixture["dampings"])
        print(f"{name}, {fisher}: {worst:.1e}")
        assert worst < 1e-10
