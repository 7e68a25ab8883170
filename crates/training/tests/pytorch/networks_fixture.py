"""Makes `networks.safetensors`: what PyTorch in double precision gives for the networks of `networks.py`
with the weights, images and labels of `formula.py`.

    python networks_fixture.py

For each network: `NAME.training` and `NAME.evaluation`, logits [batch, 10] with the statistics of the batch
and with the running ones; `NAME.loss` [1], mean cross-entropy in training mode; for every parameter, in the
order of `named_parameters()`, the norm of the gradient of that loss in `NAME.norms` and up to 16 of its
entries, evenly spread, one after the other in `NAME.gradients`; for networks with BatchNorm the batch's means
and population variances, one layer after the other, in `NAME.means` and `NAME.variances`.
"""

import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

import formula
import networks

SHAPES = {
    "mlp": (6, 1, 8, 8),
    "cnn": (6, 2, 9, 7),
    "resnet20": (4, 3, 32, 32),
    "resnet32": (3, 3, 16, 16),
    "alexnet": (3, 3, 32, 32),
}


def spread(values):
    """Up to 16 entries: those at floor(i n / k)."""
    n = values.numel()
    k = min(n, 16)
    return values.flatten()[[i * n // k for i in range(k)]]


def fixture(name, shape):
    network = networks.by_name(name, shape[1:])
    network.load_state_dict(formula.state(network))
    network.double()
    x = formula.images(shape)
    labels = torch.arange(shape[0]) * 3 % 10

    network.eval()
    evaluation = network(x).detach()
    network.train()
    means, variances = [], []

    def observe(module, inputs):
        [x] = inputs
        means.append(x.mean((0, 2, 3)).detach())
        variances.append(x.var((0, 2, 3), unbiased=False).detach())

    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.register_forward_pre_hook(observe)
    training = network(x)
    loss = F.cross_entropy(training, labels)
    loss.backward()
    gradients = [parameter.grad for parameter in network.parameters()]
    result = {
        "training": training.detach(),
        "evaluation": evaluation,
        "loss": loss.detach().reshape(1),
        "norms": torch.stack([gradient.norm() for gradient in gradients]),
        "gradients": torch.cat([spread(gradient) for gradient in gradients]),
    }
    if means:
        result |= {"means": torch.cat(means), "variances": torch.cat(variances)}
    return {f"{name}.{key}": value.contiguous() for key, value in result.items()}


if __name__ == "__main__":
    tensors = {}
    for name, shape in SHAPES.items():
        tensors |= fixture(name, shape)
    save_file(tensors, pathlib.Path(__file__).parent / "networks.safetensors")
