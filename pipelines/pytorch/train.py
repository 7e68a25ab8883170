"""Trains a small network on the digits with PyTorch and writes its curves.

Needs torch alone: a safetensors file is a length, a JSON header and the numbers.
"""

import argparse
import csv
import json
import math

import torch
from torch import nn


def read(path):
    """The tensors of a safetensors file by name."""
    types = {"U8": torch.uint8, "F32": torch.float32}
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        body = file.read()
    header.pop("__metadata__", None)
    return {
        name: torch.frombuffer(
            bytearray(body[slice(*entry["data_offsets"])]), dtype=types[entry["dtype"]]
        ).reshape(entry["shape"])
        for name, entry in header.items()
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--curves", required=True)
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--learning-rate", type=float, required=True)
    parser.add_argument("--momentum", type=float, required=True)
    parser.add_argument("--iterations", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    options = parser.parse_args()

    torch.manual_seed(options.seed)
    tensors = read(options.data)

    def part(name):
        images = tensors[f"{name}.images"].float().flatten(1) / tensors["white"]
        return images - tensors["mean"].mean(), tensors[f"{name}.labels"].long()

    parts = {name: part(name) for name in ["train", "validation", "test"]}
    images, labels = parts["train"]
    model = nn.Sequential(nn.Linear(images.shape[1], 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = torch.optim.SGD(
        model.parameters(), lr=options.learning_rate, momentum=options.momentum
    )

    def evaluate():
        cells = {}
        with torch.no_grad():
            for name, (x, y) in parts.items():
                scores = model(x)
                cells[f"{name}_loss"] = nn.functional.cross_entropy(scores, y).item()
                cells[f"{name}_accuracy"] = (scores.argmax(1) == y).float().mean().item()
        return cells

    metrics = [f"{name}_{what}" for name in parts for what in ["loss", "accuracy"]]
    with open(options.curves, "w", newline="") as file:
        writer = csv.DictWriter(file, ["step", "loss", "learning_rate", *metrics])
        writer.writeheader()
        writer.writerow({"step": 0, **evaluate()})
        order, next_evaluation = torch.empty(0, dtype=torch.long), 1
        for step in range(1, options.iterations + 1):
            if len(order) < options.batch_size:
                order = torch.randperm(len(images))
            batch, order = order[: options.batch_size], order[options.batch_size :]
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(images[batch]), labels[batch])
            loss.backward()
            optimizer.step()
            row = {"step": step, "loss": loss.item(), "learning_rate": options.learning_rate}
            if step == next_evaluation or step in (100, options.iterations):
                row.update(evaluate())
                next_evaluation = max(next_evaluation, math.ceil(step * 1.15))
            writer.writerow(row)
            if not math.isfinite(loss.item()):
                break


main()
