"""Numbers that look random and that both sides make from integers, so that no file need hold them.

The twin in Rust: `tests/formula/mod.rs`.
"""

import torch


def uniform(stream, count):
    """`count` numbers in [-1, 1), float64; those of another stream differ.

    The finaliser of MurmurHash3, on 32 bits; the upper 24 bits are the number, so that float32 holds it.
    """
    mask = 0xFFFFFFFF
    x = (torch.arange(count, dtype=torch.int64) + ((stream * 0x9E3779B9) & mask)) & mask
    x = ((x ^ (x >> 16)) * 0x85EBCA6B) & mask
    x = ((x ^ (x >> 13)) * 0xC2B2AE35) & mask
    x = x ^ (x >> 16)
    return (x >> 8).double() / 2**23 - 1


def stream(name):
    """A stream for each name: the bytes as digits in base 31, modulo 2^32."""
    number = 0
    for byte in name.encode():
        number = (31 * number + byte) & 0xFFFFFFFF
    return number


def state(network):
    """Weights for a network, each from the stream of its name: weights uniform with He et al.'s variance,
    2 / fan-in, BatchNorm scales 1 + u / 4, running variances 1 + u / 2, other vectors u / 8."""
    result = {}
    for name, old in network.state_dict().items():
        if name.endswith("num_batches_tracked"):
            result[name] = old
            continue
        u = uniform(stream(name), old.numel()).reshape(old.shape)
        if old.dim() > 1:
            u = u * (6 / old[0].numel()) ** 0.5
        elif name.endswith("running_var"):
            u = 1 + u / 2
        elif is_norm(network, name) and name.endswith("weight"):
            u = 1 + u / 4
        else:
            u = u / 8
        result[name] = u.float()
    return result


def is_norm(network, name):
    return isinstance(network.get_submodule(name.rpartition(".")[0]), torch.nn.BatchNorm2d)


def images(shape):
    """Uniform with variance 1, float64 of float32."""
    count = 1
    for size in shape:
        count *= size
    return (uniform(0, count) * 3**0.5).float().double().reshape(shape)
