"""The runs of the quick study in PyTorch, for main.rs.

    pytorch.py DIGITS CURVES    DIGITS: images and labels; CURVES: a folder of exported curves, or one of them

What a run did is read from its curve: settings, steps, evaluations. The same work is done here: network, initial
weights' distribution, batches a step, evaluations of all three parts. Numbers differ, as random numbers are PyTorch's
own; what the runs end with is printed beside what the curves end with. A folder's runs are done one after the other,
on one thread: the networks are too small for two.
"""

import json
import statistics
import sys
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn
from torch.nn.functional import cross_entropy

CRATES = Path(__file__).parents[3]
sys.path += [str(CRATES / "training/tests/pytorch"), str(CRATES / "training/benches/beside_pytorch")]
import networks
from kfac import Kfac


def data(path):
    """Normalised images [n, 64] and labels of each part."""
    digits = load_file(path)
    order = torch.randperm(1797, generator=torch.Generator().manual_seed(0))
    images, labels = digits["images"][order].flatten(1) / 16, digits["labels"][order].long()
    images = (images - images[:1280].mean()) / images[:1280].std()
    parts = {"train": (0, 1280), "validation": (1280, 1497), "test": (1497, 1797)}
    return {name: (images[first:last], labels[first:last]) for name, (first, last) in parts.items()}


def network(settings):
    """Normal weights of variance 2 / fan-in, of the last layer 1 / fan-in; biases 0."""
    mlp = networks.Mlp(64, settings["model"]["mlp"]["hidden"])
    for layer in mlp.layers:
        gain = 1 if layer is mlp.layers[-1] else 2
        nn.init.normal_(layer.weight, std=(gain / layer.in_features) ** 0.5)
        nn.init.zeros_(layer.bias)
    return mlp


def train(parts, curve):
    """Does a run's work; steps made, and what the last evaluation found: training loss, test accuracy."""
    settings = curve["settings"]
    torch.manual_seed(settings["seed"])
    (method, options), = settings["optimizer"].items()
    model = network(settings)
    rate, momentum, decay = settings["learning_rate"], options["momentum"], options["weight_decay"]
    sgd = torch.optim.SGD(model.parameters(), lr=rate, momentum=momentum, weight_decay=decay)
    kfac = None
    if method == "kfac":
        names = ["damping", "fisher", "factor_every", "inverse_every", "factor_decay"]
        kfac = Kfac(model, **{name: options[name] for name in names})
    images, labels = parts["train"]
    batch_size, order = settings["batch_size"], torch.empty(0, dtype=torch.long)

    @torch.no_grad()
    def evaluate():
        scores = {}
        for part, (x, y) in parts.items():
            logits = model(x)
            scores[part] = cross_entropy(logits, y).item(), (logits.argmax(1) == y).float().mean().item()
        return scores["train"][0], scores["test"][1]

    evaluations, last = set(curve["evaluations"]), None
    for step in range(curve["steps"]):
        if step in evaluations:
            last = evaluate()
        if len(order) < batch_size:
            order = torch.randperm(len(images))
        chosen, order = order[:batch_size], order[batch_size:]
        x, y = images[chosen], labels[chosen]
        sgd.zero_grad()
        logits = model(x)
        if kfac:
            loss = kfac.backward(logits, y)
        else:
            loss = cross_entropy(logits, y)
            loss.backward()
        sgd.step()
        if not loss.isfinite():
            return step, last
    if curve["steps"] in evaluations:
        last = evaluate()
    return curve["steps"], last


def described(path):
    """What a run did, from its curve."""
    arrays = load_file(path)
    with safe_open(path, "torch") as file:
        run = json.loads(file.metadata()["run"])
    return {
        "settings": run["settings"],
        "finite": "diverged" not in run["outcome"],
        "steps": len(arrays["loss"]),
        "evaluations": arrays["step"].tolist(),
        "last": (arrays["train_loss"][-1].item(), arrays["test_accuracy"][-1].item()),
    }


def main():
    digits, curves = sys.argv[1], Path(sys.argv[2])
    torch.set_num_threads(1)
    parts = data(digits)
    if curves.is_file():
        train(parts, described(curves))
        return
    runs = [described(path) for path in sorted(curves.rglob("*.safetensors"))]
    made = [train(parts, run) for run in runs]
    print(f"{len(runs)} runs, {sum(run['steps'] for run in runs)} steps; in PyTorch {sum(steps for steps, _ in made)}")
    for method in ["sgd", "kfac"]:
        # Where one of the two diverges, the other may do so later.
        pairs = [
            (run["last"], last)
            for run, (steps, last) in zip(runs, made)
            if method in run["settings"]["optimizer"] and run["finite"] and steps == run["steps"]
        ]
        for index, what in enumerate(["training loss", "test accuracy"]):
            ours, theirs = zip(*((a[index], b[index]) for a, b in pairs))
            quarters = [" / ".join(f"{x:.3f}" for x in statistics.quantiles(values)) for values in (ours, theirs)]
            apart = statistics.median(abs(a - b) for a, b in zip(ours, theirs))
            print(
                f"{method}, {len(pairs)} runs that end, {what} at the end, quartiles: {quarters[0]}; "
                f"in PyTorch {quarters[1]}; of the same run apart by {apart:.4f} (median)"
            )


main()
