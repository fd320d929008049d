"""Label maps that try connectivity hard."""

import numpy as np
from numpy.typing import NDArray


def ranks(labels: NDArray) -> NDArray[np.int32]:
    """The same map with labels from 0 on."""
    return np.unique(labels, return_inverse=True)[1].reshape(labels.shape).astype(np.int32)


def blobs(rng: np.random.Generator, shape: tuple[int, int], labels: int, scale: int, noise: float) -> NDArray[np.int64]:
    """Random squares of side `scale` with a share of random pixels."""
    coarse = rng.integers(0, labels, (shape[0] // scale + 1, shape[1] // scale + 1))
    squares = coarse.repeat(scale, 0).repeat(scale, 1)[: shape[0], : shape[1]]
    return np.where(rng.random(shape) < noise, rng.integers(0, labels, shape), squares)


def spiral(height: int, width: int) -> NDArray[np.int32]:
    """A path of one pixel's width that winds inwards, and another beside it."""
    labels, turns = np.zeros((height, width), np.int32), 0
    y, x, dy, dx = 0, 0, 0, 1
    while turns < 2:
        labels[y, x], turns = 1, 0
        while turns < 2:
            ahead = (y + dy, x + dx)
            beyond = (y + 2 * dy, x + 2 * dx)
            inside = 0 <= ahead[0] < height and 0 <= ahead[1] < width
            if inside and not labels[ahead] and not (0 <= beyond[0] < height and 0 <= beyond[1] < width and labels[beyond]):
                y, x = ahead
                break
            dy, dx, turns = dx, -dy, turns + 1
    return labels


def adversarial() -> dict[str, NDArray]:
    y, x = np.indices((67, 93))
    large_y, large_x = np.indices((113, 131))  # components whose rectangle is too large for a team's tile
    ring = np.minimum.reduce([y, x, 66 - y, 92 - x])
    comb = np.where((large_x % 2 == 0) | (large_y == 112), 0, large_x)
    return {
        "rows": y % 2,
        "columns": x % 2,
        "diagonals": (y + x) // 3 % 2,
        "checkerboard": (y + x) % 2,
        "single pixels": y * 93 + x,
        "one label": np.zeros((67, 93)),
        "nested rings": ring,
        "nested rings of two labels": ring // 2 % 2,
        "spiral": spiral(67, 93),
        "large spiral": spiral(113, 131),
        "comb": comb,
        "comb upside down": comb[::-1],
        "comb on its side": comb.T,
        "large blocks": large_y // 70 + large_x // 60 * 2,
        "cross of blocks": (np.abs(large_y - 56) < 9) | (np.abs(large_x - 65) < 9),
        "one row": np.arange(4000)[None] // 3 % 2,
        "one row of single pixels": np.arange(4000)[None] % 2,
        "one column": np.arange(4000)[:, None] // 3 % 2,
        "one pixel": np.zeros((1, 1)),
        "noise": np.random.default_rng(0).integers(0, 2, (113, 131)),
    }
