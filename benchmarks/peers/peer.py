"""What the adapters are made of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ainet.benchmarks.speed.clock import Stages
from ainet.errors import ImageError, UsageError
from ainet.runtime.postprocess import enforce_connectivity

Image = NDArray[np.uint8]
Labels = NDArray[np.int32]


@dataclass
class Peer:
    """A `Method` made of a function; it checks the arguments and holds OpenCV to the stated number of threads."""

    name: str
    parameters: Mapping[str, Any]
    segment: Callable[[Image, int, Stages], Labels]
    trained: bool = True
    threads: int = 1

    def __call__(self, image: Image, n_segments: int, stages: Stages | None = None) -> Labels:
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
            raise ImageError(f"{self.name} takes uint8 RGB images (H, W, 3), not {image.dtype} {image.shape}; convert it first")
        if not 1 <= n_segments <= image.shape[0] * image.shape[1]:
            size = f"{image.shape[0]}x{image.shape[1]}"
            raise UsageError(f"n_segments={n_segments} is out of range: choose 1 to the number of pixels of a {size} image")
        cv2.setNumThreads(self.threads)
        return self.segment(np.ascontiguousarray(image), n_segments, Stages() if stages is None else stages)


def connect(labels: NDArray[np.integer[Any]], n_segments: int) -> Labels:
    """The public protocol's connectivity: pieces below 6 % of the mean size join a neighbour, those above 300 % are cut."""
    size = labels.size / n_segments
    return enforce_connectivity(labels, int(0.06 * size), max(1, int(3 * size)))


def join_fragments(labels: Labels) -> Labels:
    """Make every label 4-connected and keep their number: what hangs on by a corner goes to the labels around it.

    Of each label the largest 4-connected piece stays, and grows over the other pieces that it touches, pixel by pixel.
    `labels` (H, W) may have any ids >= 0; the result has 0..K-1 in order of first appearance.
    """
    pieces = enforce_connectivity(labels, 1, labels.size)
    sizes = np.bincount(pieces.ravel())
    owner = np.empty(len(sizes), np.int64)
    owner[pieces.ravel()] = labels.ravel()
    largest = np.lexsort((-sizes, owner))  # pieces by label, the largest first
    kept = np.zeros(len(sizes), bool)
    kept[largest[np.unique(owner[largest], return_index=True)[1]]] = True
    joined = np.where(kept[pieces], labels, -1)
    up, down, left, right = joined[:-1], joined[1:], joined[:, :-1], joined[:, 1:]
    while (joined < 0).any():
        for here, neighbour in ((up, down), (down, up), (left, right), (right, left)):
            np.copyto(here, neighbour.copy(), where=here < 0)
    return enforce_connectivity(joined, 1, joined.size)


def grid(height: int, width: int, n_segments: int) -> tuple[int, int]:
    """Rows and columns of nearly square cells, as near to `n_segments` cells as their shape allows."""
    short = min(max(1, round((n_segments * min(height, width) / max(height, width)) ** 0.5)), min(height, width))
    long = min(max(1, round(n_segments / short)), max(height, width))
    return (short, long) if height <= width else (long, short)
