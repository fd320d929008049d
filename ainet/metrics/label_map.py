"""Label maps as the metrics see them: checked, with boundaries, sizes and contingency tables computed once.

superpixels = LabelMap(labels)                       # give it to several metrics in place of the array
superpixels.overlap(LabelMap(ground_truth)).pixels   # the non-zero cells of the contingency table
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from ainet.arguments import checked_integer
from ainet.arrays import checked_labels, ids_outside
from ainet.errors import UsageError

BoolMap: TypeAlias = npt.NDArray[np.bool_]
Counts: TypeAlias = npt.NDArray[np.int64]

TOLERANCE = float(np.float32(0.0025))  # of the diagonal; the rounding to 32 bits decides the radius at exact halves
NO_BOUNDARY = 8192.0  # the "distance" to a boundary that is nowhere: the limit of the fixed-point transform the tool was built with


class LabelMap:
    """A checked label map, with everything that the metrics derive from it alone computed at most once.

    Args:
        labels: (H, W) integers in [0, 2**31); not to be changed while the map is in use.
        name: what error messages call the map.

    Attributes:
        labels: (H, W) int32, the ids.

    Raises:
        UsageError: `labels` is no such array, or empty.
    """

    def __init__(self, labels: npt.NDArray[np.integer[Any]], name: str = "labels") -> None:
        checked = checked_labels(labels, name)
        if outside := ids_outside(checked):
            raise UsageError(f"{name} has {outside}")
        self.labels = checked.astype(np.int32, copy=False)
        self.shape: tuple[int, int] = self.labels.shape
        self.pixels = self.labels.size
        self.largest_id = int(self.labels.max())
        self._overlap: tuple[LabelMap, Overlap] | None = None

    @cached_property
    def _runs(self) -> tuple[npt.NDArray[np.int32], Counts, Counts]:
        """The distinct ids, ascending, and of every run of equal ids in raster order the position of its id among them and its length."""
        values, lengths = _run_lengths(self.labels.ravel())
        ids, positions = np.unique(values, return_inverse=True)
        return ids, positions, lengths

    @cached_property
    def index(self) -> npt.NDArray[np.int64]:
        """(H, W) in [0, K): the ids made consecutive, in ascending order."""
        _, positions, lengths = self._runs
        return np.repeat(positions, lengths).reshape(self.shape)

    @cached_property
    def sizes(self) -> Counts:
        """(K,) pixels of each id that occurs, ids ascending."""
        _, positions, lengths = self._runs
        return np.bincount(positions, weights=lengths).astype(np.int64)

    @cached_property
    def other_neighbours(self) -> npt.NDArray[np.uint8]:
        """(H, W) in 0..4: see `count_other_neighbours`."""
        return count_other_neighbours(self.labels)

    @cached_property
    def boundary(self) -> BoolMap:
        """(H, W): the boundary pixels."""
        return self.other_neighbours > 0

    @cached_property
    def boundary_pixels(self) -> int:
        return int(np.count_nonzero(self.boundary))

    @cached_property
    def near_boundary(self) -> BoolMap:
        """(H, W): pixels with a boundary pixel in the square of 2r + 1 x 2r + 1 pixels around them, r the tolerance radius of this size."""
        width = 2 * tolerance_radius(*self.shape) + 1
        return cv2.dilate(self.boundary.view(np.uint8), np.ones((width, width), np.uint8)).view(np.bool_)

    @cached_property
    def distance_to_boundary(self) -> npt.NDArray[np.float32]:
        """(H, W), pixels: 3x3 chamfer distance (straight 0.955, diagonal 1.3693) to the nearest boundary pixel."""
        if self.boundary_pixels == 0:  # OpenCV's own answer depends on its version
            return np.full(self.shape, NO_BOUNDARY, np.float32)
        return cv2.distanceTransform((~self.boundary).view(np.uint8), cv2.DIST_L2, 3).astype(np.float32, copy=False)

    def overlap(self, ground_truth: "LabelMap") -> "Overlap":
        """The contingency table with a ground truth of the same size; the last one is kept for the next metric."""
        if self._overlap is None or self._overlap[0] is not ground_truth:
            self._overlap = (ground_truth, Overlap.between(self, ground_truth))
        return self._overlap[1]


@dataclass(frozen=True)
class Overlap:
    """Contingency table of K superpixels and M segments, its C non-zero cells alone: `pixels[c]` = n_ij, j = `label[c]`, i = `segment[c]`.

    Attributes:
        label, segment: (C,) positions among the ids that occur, ascending.
        pixels: (C,) counts, all > 0.
        label_sizes, label_largest: (K,) |S_j| and max over i of n_ij.
        segment_sizes, segment_largest: (M,) |G_i| and max over j of n_ij.
    """

    label: Counts
    segment: Counts
    pixels: Counts
    label_sizes: Counts
    label_largest: Counts
    segment_sizes: Counts
    segment_largest: Counts

    @classmethod
    def between(cls, labels: LabelMap, ground_truth: LabelMap) -> "Overlap":
        segments = ground_truth.largest_id + 1
        # Runs of equal pairs in raster order, sorted: far fewer than pixels, and no K x M table however many ids there are.
        keys, lengths = _run_lengths((labels.labels.astype(np.int64) * segments + ground_truth.labels).ravel())
        order = np.argsort(keys)
        keys, lengths = keys[order], lengths[order]
        first = np.flatnonzero(np.diff(keys, prepend=-1))
        pixels = np.add.reduceat(lengths, first)
        label_ids, segment_ids = np.divmod(keys[first], segments)
        label, label_sizes, label_largest = _marginal(label_ids, pixels)
        segment, segment_sizes, segment_largest = _marginal(segment_ids, pixels)
        return cls(label, segment, pixels, label_sizes, label_largest, segment_sizes, segment_largest)


def count_other_neighbours(labels: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.uint8]:
    """(H, W) in 0..4: how many of a pixel's neighbours above, below, left and right have another id; there are none outside the image."""
    counts = np.zeros(labels.shape, np.uint8)
    vertical = labels[1:] != labels[:-1]
    horizontal = labels[:, 1:] != labels[:, :-1]
    counts[1:] += vertical
    counts[:-1] += vertical
    counts[:, 1:] += horizontal
    counts[:, :-1] += horizontal
    return counts


def region_means(index: npt.NDArray[np.integer[Any]], values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Means of `values` (N, C) over each of the regions 0..K-1 in `index` (N,) -> (K, C)."""
    sums = np.stack([np.bincount(index, weights=channel) for channel in values.T], axis=1)
    return sums / np.bincount(index)[:, None]


def tolerance_radius(height: int, width: int) -> int:
    """Radius in pixels of the square within which boundaries match: 0.25 % of the diagonal, rounded; 1 at 321 x 481.

    Raises:
        UsageError: a height or width that is no integer of 1 or more.
    """
    height, width = checked_integer("height", height), checked_integer("width", width)
    if not (1 <= height < 2**31 and 1 <= width < 2**31):
        raise UsageError(f"an image of {height}x{width} has no such radius; pass its height and width in pixels")
    return math.floor(TOLERANCE * math.sqrt(height**2 + width**2) + 0.5)


def _run_lengths(values: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], Counts]:
    """Run-length encoding of (N,) values: the value and the length of each run."""
    starts = np.concatenate([[0], np.flatnonzero(values[1:] != values[:-1]) + 1])
    return values[starts], np.diff(starts, append=values.size)


def _marginal(ids: Counts, pixels: Counts) -> tuple[Counts, Counts, Counts]:
    """Positions among the distinct ids of the (C,) cells, and per distinct id the sum and the maximum of its cells."""
    distinct, positions = np.unique(ids, return_inverse=True)
    sums = np.zeros(len(distinct), np.int64)
    largest = np.zeros(len(distinct), np.int64)
    np.add.at(sums, positions, pixels)
    np.maximum.at(largest, positions, pixels)
    return positions, sums, largest
