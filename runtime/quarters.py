"""Scores in quarters, (N, 36, h/2, w/2): each of the nine planes lies in four, as a network gives it that computes at half the resolution.

The pixels of a plane in even rows and even columns come first, then those in even rows and odd columns, in odd rows and even columns,
in odd rows and odd columns. What follows takes them as they are: to bring them together costs as much as a layer of the network.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ainet.spec import NEIGHBOURS

CHANNELS = 4 * NEIGHBOURS


def in_quarters(scores: NDArray[Any]) -> bool:
    return scores.ndim == 4 and scores.shape[1] == CHANNELS


def as_planes(scores: NDArray[Any]) -> NDArray[Any]:
    """Scores (N, 9, h, w), whichever way they lie; cell ids stay as they are."""
    if not in_quarters(scores):
        return scores
    images, _, height, width = scores.shape
    quarters = scores.reshape(images, NEIGHBOURS, 2, 2, height, width)
    return np.ascontiguousarray(quarters.transpose(0, 1, 4, 2, 5, 3)).reshape(images, NEIGHBOURS, 2 * height, 2 * width)
