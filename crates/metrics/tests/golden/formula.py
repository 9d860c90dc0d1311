"""Numbers by a formula that `../support/formula.rs` has too, so that no weights need to be kept."""

import numpy as np


def bits(name, count):
    """SplitMix64's finaliser on the FNV-1a hash of a name and a counter."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = (seed ^ byte) * 0x100000001B3 % 2**64
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def units(name, shape):
    """Numbers from -1 up to 1, single precision, exact."""
    return ((bits(name, int(np.prod(shape))) >> np.uint64(40)).astype(np.float32) / np.float32(2**23) - np.float32(1)).reshape(shape)


def bytes_of(name, shape):
    """Bytes."""
    return (bits(name, int(np.prod(shape))) >> np.uint64(56)).astype(np.uint8).reshape(shape)


def weights_of(module):
    """A state dict by the formula: weights of He's spread, normalisations near 1."""
    import torch

    def one(name, tensor):
        u = units(name, tuple(tensor.shape))
        if name.endswith("running_var"):
            return 1 + np.float32(0.5) * u
        if tensor.dim() > 1:
            return u * np.float32(np.sqrt(np.float32(6 / (tensor.numel() // tensor.shape[0]))))
        return 1 + np.float32(0.2) * u if name.endswith("bn.weight") else np.float32(0.1) * u

    return {
        name: torch.tensor(one(name, tensor)) if tensor.is_floating_point() else tensor for name, tensor in module.state_dict().items()
    }
