"""Studies whose runs make a given number of steps: what the benchmarks of this folder run.

Images in CIFAR-10's format, of noise: they are made in no time, and a step costs what it costs on real ones.
"""

import io
import os
import tarfile
from pathlib import Path

IMAGES = "cifar-10-binary.tar.gz"
COMMON = "momentum: 0.9, weight_decay: 5.0e-4"
KFAC = "kfac: { damping: 0.1, " + COMMON + ", %s, burn_in: { batches: %d, examples_per_dimension: 0 } }"
RULES = {
    "sgd": "sgd: { " + COMMON + " }",
    "kfac-1-1": KFAC % ("factor_every: 1, inverse_every: 1", 1),
    "kfac-10-100": KFAC % ("factor_every: 10, inverse_every: 100", 1),
    # Averages are not used before they are good: each batch counts, and no step is preconditioned.
    "kfac-burn-in": KFAC % ("factor_every: 1, inverse_every: 1", 100_000),
}


def images(folder: Path, each: int) -> None:
    """Six files of so many images."""
    with tarfile.open(folder / IMAGES, "w:gz", compresslevel=1) as archive:
        for name in [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]:
            content = b"".join(bytes([i % 10]) + os.urandom(3072) for i in range(each))
            entry = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def study(model: str, rule: str, batch: int, steps: int, seeds: int = 1) -> str:
    """One run a seed, which measures the network on 128 images before its first step and at its end."""
    return f"""study: steps
stages:
  images:
    dataset: {{ source: cifar10, path: {IMAGES}, train: 10000, test: 0 }}
  run:
    train:
      dataset: images
      model: {model}
      batch_size: {batch}
      learning_rate: 0.01
      optimizer: {{ {RULES[rule]} }}
      schedule: constant
      augment: {{ pad_crop: 4, flip: true }}
      budget: {{ iterations: {steps} }}
      evaluation: {{ spacing: 1000000, train_subset: 128, statistics_examples: 128 }}
    sweep:
      seed: {list(range(seeds))}
"""
