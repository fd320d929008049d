"""Superpixels merged into object proposals, and what those are worth: the hook for Fig. 9 of the paper.

    proposals = merge(lab(image), labels, [20, 50, 100])          # {count: (H, W) int32}
    proposal_asa(proposals[20], ground_truth)

The paper merges by a learned similarity (DEL). Here it is a plain one, of colour and boundary; a learned one takes its place as
`similarity`, with its embedding in place of the colours.
"""

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ainet.errors import UsageError
from ainet.images import as_rgb
from ainet.metrics.label_map import LabelMap
from ainet.metrics.measures import Labels, achievable_segmentation_accuracy

COLOUR_SCALE = 10.0  # difference in Lab at which two regions look apart
CONTRAST_SCALE = 10.0  # the same for pixels on the two sides of a border


@dataclass(frozen=True)
class Region:
    """Size in pixels, and mean of the features (C,)."""

    size: int
    mean: NDArray[np.float64]


@dataclass(frozen=True)
class Border:
    """Between two regions: `length` in sides of pixels, and the mean distance of the features of the two pixels at a side."""

    length: int
    contrast: float


Similarity = Callable[[Region, Region, Border], float]  # the higher, the sooner they are merged


def plain_similarity(first: Region, second: Region, border: Border) -> float:
    """Minus the colour distance and the contrast along the border, each by its scale, times the root of the smaller region's size: <= 0.

    The size makes specks join their surroundings before large regions join each other.
    """
    distance = float(np.linalg.norm(first.mean - second.mean)) / COLOUR_SCALE + border.contrast / CONTRAST_SCALE
    return -distance * math.sqrt(min(first.size, second.size))


def lab(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """RGB (H, W, 3) -> CIE Lab, L in 0..100."""
    return cv2.cvtColor(as_rgb(image).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)  # type: ignore[return-value]


def merge(
    features: NDArray[np.floating], labels: Labels, counts: Sequence[int], similarity: Similarity = plain_similarity
) -> dict[int, NDArray[np.int32]]:
    """Merge the two most similar neighbours, again and again, and keep the map at each of `counts`.

    Args:
        features: (H, W, C), such as `lab(image)`.
        labels: (H, W) superpixels, each connected.
        counts: how many regions, each from 1 to the number of superpixels.
        similarity: of two neighbours; asked anew when one of them has grown.

    Returns:
        By count, (H, W) int32 with labels 0..count-1, each the union of superpixels.

    Raises:
        UsageError: a count out of range, or features and labels of different sizes.
    """
    labels = labels if isinstance(labels, LabelMap) else LabelMap(labels)
    index, total = labels.index, len(labels.sizes)
    if features.shape[:2] != labels.shape:
        raise UsageError(f"features are {features.shape[:2]} but labels {labels.shape} (H, W); they must be of one size")
    if outside := [count for count in counts if not 1 <= count <= total]:
        raise UsageError(f"cannot merge {total} superpixels into {outside[0]} regions; choose 1 to {total}")
    regions, borders = _graph(features, index, labels.sizes)
    parent = np.arange(total)
    heap = [(-similarity(regions[a], regions[b], border), a, b) for a in borders for b, border in borders[a].items() if a < b]
    heapq.heapify(heap)
    found = {count: _cut(parent, index) for count in counts if count == total}
    left = total
    while heap and left > min(counts):
        _, a, b = heapq.heappop(heap)
        if a not in borders or b not in borders:
            continue  # one of them has become part of a new region since
        joined = len(parent)
        parent = np.append(parent, joined)
        parent[[a, b]] = joined
        size = regions[a].size + regions[b].size
        regions.append(Region(size, (regions[a].size * regions[a].mean + regions[b].size * regions[b].mean) / size))
        borders[joined] = {}
        for neighbour in (borders[a].keys() | borders[b].keys()) - {a, b}:
            border = _sum([borders[old].pop(neighbour) for old in (a, b) if neighbour in borders[old]])
            for old in (a, b):
                borders[neighbour].pop(old, None)
            borders[joined][neighbour] = borders[neighbour][joined] = border
            heapq.heappush(heap, (-similarity(regions[joined], regions[neighbour], border), joined, neighbour))
        del borders[a], borders[b]
        left -= 1
        if left in counts:
            found[left] = _cut(parent, index)
    return found


def proposal_asa(proposals: Labels, ground_truth: Labels) -> float:
    """ASA of proposals in [0, 1], taken for the paper's Eq. 11: (1/N) sum over proposals M_j of max over segments G_i of |M_j and G_i|."""
    return achievable_segmentation_accuracy(proposals, ground_truth)


def _graph(
    features: NDArray[np.floating], index: NDArray[np.int64], sizes: NDArray[np.int64]
) -> tuple[list[Region], dict[int, dict[int, Border]]]:
    sums = np.stack([np.bincount(index.ravel(), channel.ravel()) for channel in np.moveaxis(features, -1, 0)], 1)
    regions = [Region(int(size), total / size) for size, total in zip(sizes, sums, strict=True)]
    keys, distances = [], []
    for here, there in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        differs = index[here] != index[there]
        first, second = index[here][differs], index[there][differs]
        keys.append(np.minimum(first, second) * len(sizes) + np.maximum(first, second))
        distances.append(np.linalg.norm(features[here][differs] - features[there][differs], axis=-1))
    edges, place, lengths = np.unique(np.concatenate(keys), return_inverse=True, return_counts=True)
    contrasts = np.bincount(place, np.concatenate(distances), len(edges)) / lengths
    borders: dict[int, dict[int, Border]] = {number: {} for number in range(len(sizes))}
    for edge, length, contrast in zip(edges.tolist(), lengths.tolist(), contrasts.tolist(), strict=True):
        a, b = divmod(edge, len(sizes))
        borders[a][b] = borders[b][a] = Border(length, contrast)
    return regions, borders


def _sum(parts: Sequence[Border]) -> Border:
    length = sum(part.length for part in parts)
    return Border(length, sum(part.length * part.contrast for part in parts) / length)


def _cut(parent: NDArray[np.int64], index: NDArray[np.int64]) -> NDArray[np.int32]:
    """The map of the regions at the top, each superpixel's last ancestor, numbered in the order of their first superpixels."""
    top = parent
    while (top != parent[top]).any():
        top = parent[top]
    _, first, region = np.unique(top[: index.max() + 1], return_index=True, return_inverse=True)
    return first.argsort().argsort()[region].astype(np.int32)[index]
