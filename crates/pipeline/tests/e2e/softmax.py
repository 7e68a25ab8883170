"""Softmax regression on the first training images of a data set, with the standard library alone."""

import json
import math
import random
import struct
import sys

data, curves, batch_size, rate, decay, seed, steps = sys.argv[1:]
batch_size, rate, decay = int(batch_size), float(rate), float(decay)
seed, steps = int(seed), int(steps)

with open(data, "rb") as file:
    header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    body = file.read()


def part(name, count):
    def bytes_of(what):
        begin, end = header[f"{name}.{what}"]["data_offsets"]
        return body[begin:end]

    images, labels = bytes_of("images"), bytes_of("labels")
    return [([pixel / 16 for pixel in images[64 * i : 64 * i + 64]], labels[i]) for i in range(count)]


train, test = part("train", 64), part("test", 50)
weights = [[0.0] * 65 for _ in range(10)]


def probabilities(x):
    scores = [w[64] + sum(a * b for a, b in zip(w, x)) for w in weights]
    top = max(scores)
    powers = [math.exp(score - top) for score in scores]
    return [power / sum(powers) for power in powers]


def evaluate(examples):
    found = [(probabilities(x), y) for x, y in examples]
    loss = sum(-math.log(max(p[y], 1e-300)) for p, y in found) / len(found)
    return loss, sum(p[y] == max(p) for p, y in found) / len(found)


random.seed(seed)
with open(curves, "w") as file:
    for step in range(steps + 1):
        row = {"step": step}
        if step > 0:
            batch = random.sample(train, batch_size)
            found = [(x, y, probabilities(x)) for x, y in batch]
            row["loss"] = sum(-math.log(max(p[y], 1e-300)) for _, y, p in found) / batch_size
            weights = [[w * (1 - rate * decay) for w in of_class] for of_class in weights]
            for x, y, p in found:
                for k in range(10):
                    change = rate * (p[k] - (k == y)) / batch_size
                    weights[k] = [w - change * a for w, a in zip(weights[k], x)] + [weights[k][64] - change]
        if step % 4 == 0:
            row["train_loss"], row["train_accuracy"] = evaluate(train)
            row["test_loss"], row["test_accuracy"] = evaluate(test)
        file.write(json.dumps(row) + "\n")
print("done after", steps, "steps")
