"""The input of a network by its definition, in plain numpy."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def normalise(images: NDArray[np.uint8], mean: Sequence[float]) -> NDArray[np.float32]:
    """RGB (N, H, W, 3) -> value / 255 - mean, in single precision, (N, 3, H, W)."""
    values = images.astype(np.float32) / np.float32(255) - np.asarray(mean, np.float32)
    return np.ascontiguousarray(values.transpose(0, 3, 1, 2))
