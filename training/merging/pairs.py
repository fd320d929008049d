"""What the cost learns from: pairs of neighbouring regions at several levels of merge hierarchies, and what a merge would lose.

The loss of a pair is the share of the smaller region's pixels that the achievable segmentation accuracy loses when the two
merge, mean over ground truths: 0 where both belong to one segment, up to 1 where they do not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor

from ainet.runtime.merging import MergeTree, RegionGraph, region_graph


def overlap(labels: NDArray[np.int32], truth: NDArray[np.uint16]) -> NDArray[np.int64]:
    """(K, S) the pixels that each region 0..K-1 of `labels` shares with each segment of `truth`, both (H, W); segments by their ids."""
    segments, index = np.unique(truth, return_inverse=True)
    count = int(labels.max()) + 1
    return np.bincount(labels.ravel() * len(segments) + index.ravel(), minlength=count * len(segments)).reshape(count, -1)


@dataclass(frozen=True)
class LabelledImage:
    """An image cut into K regions, with its ground truths.

    labels: (H, W) int32, 0..K-1, each region 4-connected. image: (H, W, 3) uint8 RGB. overlaps: for each ground truth (K, S),
    pixels that a region shares with each segment. maps: the features of a network that the border map is made of, each
    (C, h, w) of the working image at its own resolution; none where the cost shall need no network.
    """

    labels: NDArray[np.int32]
    image: NDArray[np.uint8]
    overlaps: list[NDArray[np.int64]]
    maps: tuple[Tensor, ...]

    @classmethod
    def of(
        cls, labels: NDArray[np.int32], image: NDArray[np.uint8], truths: Sequence[NDArray[np.uint16]], maps: tuple[Tensor, ...] = ()
    ) -> "LabelledImage":
        return cls(labels, image, [overlap(labels, truth) for truth in truths], maps)

    def graph(self) -> RegionGraph:
        """The region graph without a border map."""
        return region_graph(self.labels, self.image)


@dataclass(frozen=True)
class Pairs:
    """The neighbouring pairs of one image at all levels, one level after another.

    pair: (levels, E) pair that each edge of the image's graph belongs to; `len(features)` for those inside a region.
    features: (P, 14). lost: (P,) in [0, 1]. weight: (P,), one over the pairs of the level. length: (E,) of each edge.
    own: (E, 14) features of the edges' own pairs.
    """

    image: LabelledImage
    pair: Tensor
    features: Tensor
    lost: Tensor
    weight: Tensor
    length: Tensor
    own: Tensor


def collect_pairs(image: LabelledImage, trees: Sequence[MergeTree], levels: Sequence[int]) -> Pairs:
    """The pairs of the regions themselves, and of those that are left at each of `levels` of each tree."""
    graph = image.graph()
    count = len(graph.regions)
    maps = [np.arange(count, dtype=np.int32)]
    maps += [tree.regions(level) for tree in trees for level in levels if level < count]
    pair, features, lost, weight, first = [], [], [], [], 0
    for region in maps:
        of_edge, merged = _merged(graph, region)
        pairs = len(merged.edges)
        pair.append(np.where(of_edge < pairs, of_edge + first, -1))
        features.append(merged.pair_features())
        lost.append(_lost(image.overlaps, region, merged.edges))
        weight.append(np.full(pairs, 1 / max(pairs, 1)))
        first += pairs
    together = np.stack(pair)
    together[together < 0] = first
    return Pairs(
        image,
        pair=torch.from_numpy(together),
        features=torch.from_numpy(np.concatenate(features)),
        lost=torch.from_numpy(np.concatenate(lost)).float(),
        weight=torch.from_numpy(np.concatenate(weight)).float(),
        length=torch.from_numpy(graph.borders[:, 0].copy()),
        own=torch.from_numpy(graph.pair_features()),
    )


def _merged(graph: RegionGraph, region: NDArray[np.int32]) -> tuple[NDArray[np.int64], RegionGraph]:
    """The pair (E,) of each edge, the number of pairs for those inside a region; and the graph of the merged regions."""
    count = int(region.max()) + 1
    ends = np.sort(region[graph.edges], axis=1).astype(np.int64)
    outer = ends[:, 0] != ends[:, 1]
    keys, place = np.unique(ends[outer, 0] * count + ends[outer, 1], return_inverse=True)
    pair = np.full(len(ends), len(keys))
    pair[outer] = place
    edges = np.stack(np.divmod(keys, count), 1).astype(np.int32)
    return pair, RegionGraph(_sums(region, count, graph.regions), edges, _sums(pair, len(keys) + 1, graph.borders)[:-1])


def _lost(overlaps: Sequence[NDArray[np.int64]], region: NDArray[np.int32], ends: NDArray[np.int32]) -> NDArray[np.float64]:
    total = np.zeros(len(ends))
    for overlap in overlaps:
        table = _sums(region, int(region.max()) + 1, overlap)
        a, b = table[ends[:, 0]], table[ends[:, 1]]
        pixels = a.max(1) + b.max(1) - (a + b).max(1)
        total += pixels / np.minimum(a.sum(1), b.sum(1))
    return total / len(overlaps)


def _sums(group: NDArray[np.integer[Any]], groups: int, rows: NDArray[Any]) -> NDArray[Any]:
    """(groups, ...) the sums of the rows of each group."""
    return csr_array((np.ones(len(group), rows.dtype), (group, np.arange(len(group)))), shape=(groups, len(group))) @ rows
