"""Regions merged step by step: any count from one tree.

    tree = ainet.hierarchy(image)                         # superpixels of the default model, then their tree
    tree = ainet.Hierarchy.from_labels(labels, image)     # of any label map, without a network
    labels = tree.cut(n_segments=100)                     # exactly 100 regions
    strength = tree.boundary_strength()                   # (H, W), the height up to which a boundary stays

Heights never fall along the merges: a merge that costs less than an earlier one takes the earlier one's height. So the regions
of every cut are unions of those of finer cuts, by count as by threshold.
"""

from collections.abc import Iterable
from functools import cache, cached_property
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from ainet.arguments import check_choice, checked_integer, checked_limit, checked_list
from ainet.arrays import check_size_of, checked_array
from ainet.errors import UsageError
from ainet.images import as_mask, as_rgb_inside
from ainet.models import bundled
from ainet.runtime.backends.base import Backend, MergingBackend
from ainet.runtime.merging import BorderMap, MergeModel, MergeTree, RegionGraph, merge, region_graph
from ainet.runtime.oversegmentation import over_segment, plan_finer
from ainet.runtime.partition import connected_parts, cut_to_count, parts_of
from ainet.runtime.postprocess import enforce_connectivity

COSTS = ("learned", "plain")


class Hierarchy:
    """The merge tree of a label map.

    labels: (H, W) int32, the regions at the start, 0..K-1 in raster order of first appearance, each 4-connected; -1 outside a mask.
    max_segments: K. min_segments: parts that never merge with each other, 1 without a mask or given borders.
    """

    def __init__(self, labels: NDArray[np.int32], graph: RegionGraph, tree: MergeTree) -> None:
        self.labels = labels
        self.max_segments = tree.count
        self.min_segments = tree.count - len(tree.children)
        self._graph, self._tree = graph, tree

    @classmethod
    def from_labels(cls, labels: Any, image: Any, *, cost: str = "learned", mask: Any = None, within: Any = None) -> "Hierarchy":
        """Merge the regions of a label map, such as superpixels of any method.

        Args:
            labels: (H, W), any integers, gaps and negative ones too; pieces of a label that are not 4-connected count as
                regions of their own.
            image: of the labels' size, as for `ainet.segment`.
            cost: "learned": of 14 features of colour, texture, size and border, by weights that the package ships; "plain": of
                colour, size and length of border alone.
            mask, within: as for `ainet.segment`; outside the mask labels are -1.

        Raises:
            ImageError: an image of another shape or type.
            UsageError: labels, mask or `within` of another shape or type, or of another size than the image's; an unknown cost.
        """
        check_choice("cost", cost, COSTS)
        if checked_array("labels", labels).ndim != 2:
            raise UsageError(f"labels must have the shape (H, W), not {np.shape(labels)}")
        regions = enforce_connectivity(labels, 1, 2**31)
        mask = as_mask(image, mask)
        picture = as_rgb_inside(image, mask)
        check_size_of("labels", regions, picture.shape[:2])
        return grow_tree(regions, picture, None if cost == "plain" else image_model(), parts=parts_of(picture, mask, within))

    def cut(self, n_segments: SupportsIndex | None = None, *, threshold: float | None = None) -> NDArray[np.int32]:
        """The regions at one level.

        Args:
            n_segments: how many, exactly; `min_segments` to `max_segments`.
            threshold: in place of a count, the height up to which regions have merged.

        Returns:
            (H, W) int32, 0..n-1 in raster order of first appearance, each 4-connected; -1 outside a mask.

        Raises:
            UsageError: neither or both are given, a count out of range, or a threshold that is no number.
        """
        if n_segments is not None and threshold is None:
            left = self._checked_count(n_segments)
        elif threshold is not None and n_segments is None:
            height = checked_limit("threshold", threshold)
            left = self.max_segments - int(np.searchsorted(self._heights, height, side="right"))
        else:
            raise UsageError("cut takes either n_segments= or threshold=; give one of them")
        regions = np.append(self._tree.regions(left), np.int32(-1))  # the last is for what is outside
        return np.take(regions, self.labels)

    def cuts(self, counts: Iterable[SupportsIndex]) -> list[NDArray[np.int32]]:
        """`cut` for several counts."""
        return [self.cut(count) for count in checked_list("counts", counts)]

    @property
    def linkage(self) -> NDArray[np.float64]:
        """(K - 1, 4) float64, the tree as `scipy.cluster.hierarchy` has it: two clusters, height, regions inside.

        `fcluster(linkage, t, "distance")` gives the regions of `cut(threshold=t)`, and `cut_tree(linkage, k)` those of `cut(k)`, in a
        numbering of its own; `fcluster(linkage, k, "maxclust")` gives fewer than k where merges are of equal height.

        Raises:
            UsageError: several parts never merge, so that there is no one tree.
        """
        if self.min_segments > 1:
            raise UsageError(f"there are {self.min_segments} parts that never merge, so there is no one tree; take them one by one")
        sizes = np.ones(self.max_segments + len(self._heights))
        for index, (a, b) in enumerate(self._tree.children.tolist()):
            sizes[self.max_segments + index] = sizes[a] + sizes[b]
        return np.column_stack([self._tree.children, self._heights, sizes[self.max_segments :]]).astype(np.float64)

    def boundary_strength(self) -> NDArray[np.float32]:
        """(H, W) float32, an ultrametric contour map: the largest height at which a boundary of the pixel disappears, 0 inside regions.

        `boundary_strength() > t` are the pixels that touch another region in `cut(threshold=t)`, as `ainet.boundaries` finds
        them. Boundaries that never disappear, those of a mask and of `within`, are infinite.
        """
        edges = self._graph.edges
        keys = edges[:, 0].astype(np.int64) * self.max_segments + edges[:, 1]
        order = np.argsort(keys)
        keys = np.append(keys[order], np.iinfo(np.int64).max)
        heights = np.append(self._heights[self._tree.vanished[order]], np.float32(np.inf))
        strength = np.zeros(self.labels.shape, np.float32)
        for here, there in ((np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:])):
            a, b = self.labels[here], self.labels[there]
            apart = a != b
            smaller, larger = np.minimum(a, b)[apart].astype(np.int64), np.maximum(a, b)[apart]
            wanted = smaller * self.max_segments + larger
            place = np.searchsorted(keys, wanted)
            between = np.zeros(a.shape, np.float32)
            between[apart] = np.where(keys[place] == wanted, heights[place], np.float32(np.inf))
            np.maximum(strength[here], between, out=strength[here])
            np.maximum(strength[there], between, out=strength[there])
        return strength

    @cached_property
    def _heights(self) -> NDArray[np.float32]:
        return np.maximum.accumulate(self._tree.costs)

    def _checked_count(self, n_segments: SupportsIndex) -> int:
        count = checked_integer("n_segments", n_segments)
        if not self.min_segments <= count <= self.max_segments:
            raise UsageError(
                f"n_segments={count} is out of range: choose {self.min_segments} to {self.max_segments}, which this hierarchy has"
            )
        return count


def grow_tree(
    labels: NDArray[np.int32],
    image: NDArray[np.uint8],
    model: MergeModel | None,
    border_map: BorderMap | None = None,
    parts: NDArray[np.int32] | None = None,
    at_least: int = 1,
    left: int = 1,
) -> Hierarchy:
    """The hierarchy of connected regions 0..K-1.

    parts: (H, W) int32, which parts of the image no region may cross, -1 outside. at_least: how many regions there must be at
    the start; where there are fewer, large ones are cut. left: regions at which merging ends.

    Raises:
        UsageError: fewer than `at_least` pixels.
    """
    if parts is not None:
        labels = connected_parts(labels, parts)
    labels = cut_to_count(labels, at_least)
    graph = region_graph(labels, image, border_map)
    if parts is not None:
        part = np.empty(len(graph.regions), np.int32)
        inside = labels >= 0
        part[labels[inside]] = parts[inside]
        a, b = graph.edges.T
        graph = graph.without(part[a] != part[b])
    return Hierarchy(labels, graph, merge(graph, model, left))


def tree_of_image(
    backend: Backend,
    image: NDArray[np.uint8],
    n_segments: SupportsIndex,
    parts: NDArray[np.int32] | None = None,
    compact: bool = False,
    threads: int = 0,
    left: int = 1,
) -> Hierarchy:
    """The hierarchy of an image RGB (H, W, 3), of superpixels fine enough for good regions at `n_segments`, with at least so many.

    compact: superpixels of more even shapes. threads: of the CPU, for the steps around the network, 0 for all cores. left: regions at
    which merging ends.

    Raises:
        ImageError: the image is too small.
        UsageError: a count that is no integer in the range that `plan_finer` gives; fewer pixels than that.
    """
    height, width = image.shape[:2]
    inside, pieces = height * width, 1
    if parts is not None:
        inside, pieces = int((parts >= 0).sum()), int(connected_parts(np.zeros_like(parts), parts).max()) + 1
    plan = plan_finer(height, width, n_segments, inside, pieces, compact)
    labels, border_map = over_segment(backend, image, plan, threads)
    model = backend.merge_model if border_map is not None and isinstance(backend, MergingBackend) else image_model()
    return grow_tree(labels, image, model, border_map, parts, checked_integer("n_segments", n_segments), left)


@cache
def image_model() -> MergeModel:
    """The learned cost that needs no network, which the package ships."""
    file = bundled("merging.json")
    return MergeModel.from_json(file.read_text(encoding="utf-8"), file)
